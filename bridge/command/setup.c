// SPDX-License-Identifier: Apache-2.0
//
// From a path to a configuration that every room accepts. Main thread.
#include "command/setup.h"

#include "kafka/kafka.h"
#include "server/server.h"

static void judge(const struct config *config, struct config_errors *errors)
{
    kafka_check(config, errors);
    server_check(config, errors);
}

bool setup_load(struct setup *setup, const char *path, bool embedded, struct config_errors *errors,
                struct config_files *files)
{
    setup->routes = NULL;
    setup->config = config_load(path, !embedded, judge, errors, files);
    if (setup->config == NULL)
        return false;
    setup->routes = routes_create(setup->config, errors);
    if (!config_errors_any(errors))
        return true;
    setup_free(setup);
    return false;
}

void setup_free(struct setup *setup)
{
    if (setup->routes != NULL)
        routes_free(setup->routes);
    config_free(setup->config);
}
