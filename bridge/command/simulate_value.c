// SPDX-License-Identifier: Apache-2.0
//
// Plausible values for the members of simulated events; constant data.
#include "command/simulate.h"

#define VALUES_MAX 4

struct value_rule {
    const char *name;
    const char *data_type;
    const char *patterns[VALUES_MAX]; /* as many as there are; strings are quoted by data_type */
};

#define AGENT_WINDOWS                                                                                        \
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/1##.0.0.0 "     \
    "Safari/537.36"
#define AGENT_PHONE                                                                                          \
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "       \
    "Mobile/15E148"
#define AGENT_MAC "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko)"
#define FORM_FIELDS                                                                                          \
    "a:4:{s:6:\\\"module\\\";s:11:\\\"leadCapture\\\";s:9:\\\"FirstName\\\";s:6:\\\"Sample\\\";"             \
    "s:5:\\\"Email\\\";s:22:\\\"lead.#####@example.com\\\";s:6:\\\"formid\\\";s:4:\\\"####\\\";}"
#define EMAIL "lead.#####@example.com"

static const struct value_rule rules[] = {
    {"Acquired By", "boolean", {"true", "false"}},
    {"Assign To", "string", {"Sales Queue ##", "user##@example.com"}},
    {"Attribute Name", "string", {"First Name", "Lead Status", "Phone Number", "Industry"}},
    {"Campaign", "string", {"Run Action Score Change ###", "Nurture ###.Welcome Batch"}},
    {"Campaign Run ID", "integer", {"####"}},
    {"Category", "integer", {"1", "2", "4"}},
    {"Change Value", "string", {"+5", "+10", "-15"}},
    {"Channel", "string", {"Web", "Email Send", "Webinar"}},
    {"Choice Number", "integer", {"0", "1"}},
    {"Client IP Address", "string", {"198.51.100.##", "203.0.113.##", "192.0.2.1##"}},
    {"Created Date", "date", {"~"}},
    {"Date", "datetime", {"^"}},
    {"Details",
     "string",
     {"550 5.1.1 The e-mail account does not exist.\\r\\nid #######", "452 4.2.2 Mailbox full"}},
    {"Device", "string", {"unknown", "iPhone", "Macintosh"}},
    {"Disqualified Reason", "string", {"Outside the region", "Entered twice"}},
    {"Drawing Date", "date", {"~"}},
    {"Email", "string", {EMAIL}},
    {"Error Type", "string", {"Timeout", "HTTP 5##", "null"}},
    {"Form Fields", "string", {FORM_FIELDS}},
    {"Is Mobile Device", "boolean", {"false", "true"}},
    {"Link",
     "string",
     {"https://www.example.com/news/####?utm_source=newsletter", "https://www.example.com/offer/##"}},
    {"Merge IDs", "object", {"[#######]", "[#######,#######]"}},
    {"Merge Fields", "string", {"Email Address, Phone Number", "Company Name"}},
    {"New Nurture Cadence", "string", {"paused", "normal"}},
    {"New Status", "string", {"Registered", "Attended", "Influenced"}},
    {"New Value", "string", {"Sample ###", "##", "Malm\xC3\xB6", "Qualified"}},
    {"Old Status", "string", {"Invited", "Registered", "null"}},
    {"Old Value", "string", {"Sample ###", "##", "", "Open"}},
    {"Platform", "string", {"Windows", "iOS", "Mac OS X", "Android"}},
    {"Query Parameters", "string", {"", "utm_source=newsletter&utm_campaign=c####", "mkt_tok=#########"}},
    {"Reason",
     "string",
     {"Web service API", "Form fill-out form, URL: https://www.example.com/lp/####", "Smart Campaign ####"}},
    {"Received by", "string", {EMAIL}},
    {"Referrer URL",
     "string",
     {"https://www.example.com/lp/page-####.html", "", "https://www.example.org/search?q=bridge"}},
    {"Score Name", "string", {"Lead Score", "Behaviour Score", "Demographic Score"}},
    {"Send To List", "string", {"user##@example.com, user##@example.com"}},
    {"Send To Owner", "string", {"None", "Lead Owner"}},
    {"Sent by", "string", {"user##@example.com"}},
    {"Share Message", "string", {"Look at this, it is worth reading (###)"}},
    {"Social Network", "string", {"facebook", "linkedin", "twitter"}},
    {"Source", "string", {"Web form fillout", "Web service API", "Marketo Sales Insight"}},
    {"Source Type", "string", {"New lead", "Web form fillout", "List import"}},
    {"Subcategory", "integer", {"2001", "3003", "9999"}},
    {"Success", "boolean", {"false", "true"}},
    {"Sync As", "string", {"Lead", "Contact"}},
    {"Type", "string", {"Web", "Email", "Milestone"}},
    {"User Agent", "string", {AGENT_WINDOWS, AGENT_PHONE, AGENT_MAC}},
    {"Vote Choice", "string", {"Option ##"}},
    {"Webpage URL", "string", {"/lp/page-####.html", "/products/####/index.html?lang=en"}},
};

static const struct value_rule primaries[] = {
    {"Visit Webpage", "string", {"www.example.com/lp/page-####.html"}},
    {"Click Link", "string", {"https://www.example.com/offer/####"}},
    {"Change Data Value", "string", {"First Name", "Lead Status", "Phone Number", "Industry"}},
    {"Change Score", "string", {"Lead Score", "Behaviour Score"}},
    {"New Lead", "string", {"Sample Lead #####"}},
    {"Delete Lead", "string", {"Sample Lead #####"}},
    {"Fill Out Form", "string", {"Contact form ###", "Webinar registration ####"}},
    {"Add To List", "string", {"Newsletter readers ###"}},
    {"Remove from List", "string", {"Newsletter readers ###"}},
};

static const struct value_rule *find(const struct value_rule *table, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(table[i].name, name) == 0)
            return &table[i];
    }
    return NULL;
}

static const char *choose(const struct value_rule *rule, unsigned variant)
{
    size_t count = 1;
    while (count < VALUES_MAX && rule->patterns[count] != NULL)
        count++;
    return rule->patterns[variant % count];
}

static bool ends_with(const char *text, const char *end)
{
    size_t len = strlen(text), end_len = strlen(end);
    return len >= end_len && strcmp(text + len - end_len, end) == 0;
}

struct attribute_value value_of_attribute(const char *name, unsigned variant)
{
    const struct value_rule *rule = find(rules, sizeof rules / sizeof rules[0], name);
    if (rule == NULL && ends_with(name, "ID"))
        return (struct attribute_value){"object", false, "####"};
    if (rule == NULL)
        return (struct attribute_value){"string", true, "Sample value ####"};

    const char *pattern = choose(rule, variant);
    bool text = strcmp(rule->data_type, "string") == 0 || strncmp(rule->data_type, "date", 4) == 0;
    return (struct attribute_value){rule->data_type, text && strcmp(pattern, "null") != 0, pattern};
}

const char *value_of_primary(const char *activity, unsigned variant)
{
    const struct value_rule *rule = find(primaries, sizeof primaries / sizeof primaries[0], activity);
    return rule != NULL ? choose(rule, variant) : "Sample asset ####";
}

const char *value_of_audit_action(const char *topic, unsigned variant)
{
    static const char *const actions[] = {"create", "edit", "delete"};
    static const char *const logins[] = {"login success", "login failure"};
    if (strcmp(topic, "login") == 0)
        return logins[variant % 2];
    return actions[variant % 3];
}

const char *value_of_notification(const char *topic)
{
    if (strcmp(topic, "web-services") == 0)
        return ",\"subType\":\"dailyQuota\",\"eventAction\":{\"dailyQuota\":1000000,\"percent\":##,"
               "\"serviceNames\":[\"service ##\"]}";
    return ",\"subType\":\"campaign\",\"eventAction\":{\"campaignId\":####,\"userId\":\"user##@example."
           "com\"}";
}

#define RECORDS                                                                                              \
    "{\"high\":{\"received\":1##,\"created\":##,\"updated\":##,\"failed\":{\"503\":##}},"                    \
    "\"normal\":{\"received\":1##,\"created\":##,\"updated\":##,\"failed\":{}}}"

const char *value_of_observability(const char *topic)
{
    if (strcmp(topic, "results") == 0)
        return "\"requests\":[{\"requestId\":\"cf0a1a20-668e-492a-8ec2-############\",\"requestTime\":\"^\","
               "\"clientId\":\"user##@example.com\",\"correlationId\":\"6180bb48-8dc7-4fc5-85ca-############"
               "\","
               "\"requestSource\":\"Public API\",\"objectType\":\"person\",\"priority\":\"high\","
               "\"records\":{\"received\":###,\"created\":##,\"updated\":##,\"failed\":{}}}]";
    if (strcmp(topic, "status") == 0)
        return "\"quota\":########,\"queue\":{\"high\":{\"lagSeconds\":##,\"requestBacklog\":#,"
               "\"recordBacklog\":###},\"normal\":{\"lagSeconds\":###,\"requestBacklog\":##,"
               "\"recordBacklog\":####}}";
    return "\"windowStart\":\"^\",\"requests\":{\"received\":##,\"processed\":##,\"rejected\":{\"606\":#}},"
           "\"records\":{\"person\":" RECORDS ",\"customObject\":" RECORDS "}";
}
