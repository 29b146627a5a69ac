// SPDX-License-Identifier: Apache-2.0
//
// What the tests of the configuration share.
#include "config_fixture.h"

#include <stdlib.h>
#include <unistd.h>

static char directory[32];
char config_file_path[64];
char config_secret_path[64];

void config_test_setup(void)
{
    snprintf(directory, sizeof directory, "/tmp/check_config.XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(directory));
    snprintf(config_file_path, sizeof config_file_path, "%s/bridge.yaml", directory);
    snprintf(config_secret_path, sizeof config_secret_path, "%s/secret", directory);
    ck_assert_int_eq(setenv("SECRET_FILE", config_secret_path, 1), 0);
}

void config_test_teardown(void)
{
    unlink(config_file_path);
    unlink(config_secret_path);
    rmdir(directory);
}

void config_test_write(const char *path, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "wb");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite(bytes, 1, length, file), length);
    ck_assert_int_eq(fclose(file), 0);
}

struct config *config_test_load(const char *bytes, size_t length, bool require_bootstrap, char **errors_text)
{
    config_test_write(config_file_path, bytes, length);
    struct config_errors errors = {0};
    struct config *config = config_load(config_file_path, require_bootstrap, NULL, &errors, NULL);
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    ck_assert_ptr_nonnull(out);
    config_errors_print(&errors, "f", out);
    ck_assert_int_eq(fclose(out), 0);
    ck_assert((config == NULL) == (errors.count > 0));
    config_errors_free(&errors);
    *errors_text = text;
    return config;
}

struct config *config_test_good(const char *text)
{
    char *errors_text;
    struct config *config = config_test_load(text, strlen(text), true, &errors_text);
    ck_assert_msg(config != NULL, "%s%s", text, errors_text);
    free(errors_text);
    return config;
}

void config_expect_errors(const char *text, const char *expected)
{
    char *errors_text;
    struct config *config = config_test_load(text, strlen(text), true, &errors_text);
    ck_assert_msg(config == NULL, "accepted:\n%s", text);
    ck_assert_str_eq(errors_text, expected);
    free(errors_text);
}

void config_expect_error(const char *added, const char *expected)
{
    char *text = NULL, *line = NULL;
    ck_assert_int_gt(asprintf(&text, "%s%s\n", MINIMAL, added), 0);
    ck_assert_int_gt(asprintf(&line, "f:%s\n", expected), 0);
    config_expect_errors(text, line);
    free(text);
    free(line);
}

void config_expect_each(const struct pair *pairs, size_t count)
{
    for (size_t i = 0; i < count; i++)
        config_expect_error(pairs[i].added, pairs[i].expected);
}

struct config *config_test_added(const char *added)
{
    char *text = NULL;
    ck_assert_int_gt(asprintf(&text, "%s%s\n", MINIMAL, added), 0);
    struct config *config = config_test_good(text);
    free(text);
    return config;
}
