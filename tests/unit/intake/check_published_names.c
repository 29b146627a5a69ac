// SPDX-License-Identifier: Apache-2.0
//
// Every name that Adobe's Data Streams page lists reaches a topic of its own, or
// stands below with the reason why not.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "intake/catalog.h"
#include "intake/routes.h"
#include "suites.h"

#define COUNT(array) (sizeof(array) / sizeof(array)[0])
#define MARKETO "com.adobe.platform.marketo."

struct published_name {
    const char *name;
    const char *type; /* last part of its topic */
};

/* "List of streamed lead activities", all 63. Five stand under the name that the newer
 * list of the Adobe I/O Events documentation gives to the same activity. */
static const struct published_name lead_activities[] = {
    {"AchieveGoalInReferral", "achievegoalinreferral"},
    {"ClickPredictiveContent", "clickpredictivecontent"},
    {"ReceivedForwardToFriendEmail", "receiveforwardtofriendemail"},
    {"AddToList", "addtolist"},
    {"ClickRTPCallToAction", "clickrtpcalltoaction"},
    {"ReceiveSalesEmail", "receivesalesemail"},
    {"AddToNurture", "addtonurture"},
    {"ClickSalesEmail", "clicksalesemail"},
    {"ReferToSocialApp", "refertosocialapp"},
    {"AddToOpportunity", "addtoopportunity"},
    {"ClickSharedLink", "clicksharedlink"},
    {"RemoveFromList", "removefromlist"},
    {"AddToSalesCampaign", "addtosfdccampaign"},
    {"ConvertLead", "convertlead"},
    {"RemoveFromOpportunity", "removefromopportunity"},
    {"CallWebhook", "callwebhook"},
    {"DeleteLead", "deletelead"},
    {"RequestCampaign", "requestcampaign"},
    {"ChangeDataValue", "changedatavalue"},
    {"DisqualifySweepstakes", "disqualifysweepstakes"},
    {"SalesEmailBounced", "salesemailbounced"},
    {"ChangeLeadPartition", "changeleadpartition"},
    {"EarnEntryInSocialApp", "earnentryinsocialapp"},
    {"SendAlert", "sendalert"},
    {"ChangeNurtureCadence", "changenurturecadence"},
    {"EmailBounced", "emailbounced"},
    {"SendEmail", "sendemail"},
    {"ChangeNurtureTrack", "changenurturetrack"},
    {"EmailBouncedSoft", "emailbouncedsoft"},
    {"SendSalesEmail", "sendsalesemail"},
    {"ChangeOwner", "changeowner"},
    {"EmailDelivered", "emaildelivered"},
    {"SentForwardToFriendEmail", "sendforwardtofriendemail"},
    {"ChangeProgramData", "changeprogramdata"},
    {"EnrichWithDataDotCom", "enrichwithdatacom"},
    {"SFDCActivity", "sfdcactivity"},
    {"ChangeProgramMemberData", "changeprogrammemberdata"},
    {"EnterSweepstakes", "entersweepstakes"},
    {"ShareContent", "sharecontent"},
    {"ChangeRevenueStage", "changerevenuestage"},
    {"FillOutFacebookLeadAdsForm", "filloutfacebookleadadsform"},
    {"SignUpForReferralOffer", "signupforreferraloffer"},
    {"ChangeRevenueStageManually", "changerevenuestagemanually"},
    {"FillOutForm", "filloutform"},
    {"SyncLeadToMicrosoft", "syncleadtomicrosoft"},
    {"ChangeScore", "changescore"},
    {"InterestingMoment", "interestingmoment"},
    {"SyncLeadToSFDC", "syncleadtosfdc"},
    {"ChangeSegment", "changesegment"},
    {"MergeLeads", "mergeleads"},
    {"UnsubscribeEmail", "unsubscribeemail"},
    {"ChangeStatusInProgression", "changestatusinprogression"},
    {"NewLead", "newlead"},
    {"UpdateOpportunity", "updateopportunity"},
    {"ChangeStatusInSalesCampaign", "changestatusinsfdccampaign"},
    {"OpenEmail", "openemail"},
    {"VisitWebPage", "visitwebpage"},
    {"ClickEmail", "clickemail"},
    {"OpenSalesEmail", "opensalesemail"},
    {"VoteInPoll", "voteinpoll"},
    {"ClickLink", "clicklink"},
    {"PushLeadToMarketo", "pushleadtomarketo"},
    {"WinSweepstakes", "winsweepstakes"},
};

/* "User audit events", all 23 rows. */
static const struct published_name audit_events[] = {
    {"Default Program", "defaultprogram"},
    {"Email", "email"},
    {"Email Batch Program", "emailbatchprogram"},
    {"Email Template", "emailtemplate"},
    {"Engagement Program", "engagementprogram"},
    {"Event Program", "eventprogram"},
    {"Folder", "folder"},
    {"Form", "form"},
    {"Form -> Landing Page Form", "landingpageform"},
    {"Landing Page", "landingpage"},
    {"Landing Page Template", "landingpagetemplate"},
    {"Smart List", "smartlist"},
    {"Marketing Folder", "marketingfolder"},
    {"Nurture Program", "nurtureprogram"},
    {"Segment", "segment"},
    {"Segmentation", "segmentation"},
    {"Smart Campaign", "smartcampaign"},
    {"Snippet", "snippet"},
    {"Admin UI -> Launchpoint -> Integration", "integration"},
    {"Admin UI -> User", "user"},
    {"Admin Login -> User", "user"},
    {"Program -> Email Batch Program", "emailbatchprogram"},
    {"Program -> Marketing Program", "marketingprogram"},
};

/* The rows above that have no topic of their own, with the reason. */
static const struct {
    const char *name, *reason;
} shared_audit_topics[] = {
    {"Admin Login -> User",
     "a component is known by the part after the last arrow: User, as of Admin UI -> User"},
    {"Program -> Email Batch Program",
     "the same component as Email Batch Program, changed through the asset API"},
};

/* "Notification events", all 6. */
static const struct published_name notifications[] = {
    {"campaign abort", "campaign-abort"},           {"campaign failure", "campaign-failure"},
    {"nurture (program exhausted)", "nurture"},     {"salesforce sync failure", "salesforce-sync-failure"},
    {"test group (A/B test result)", "test-group"}, {"web services (daily quota)", "web-services"},
};

static struct routes *routes;

static void setup_routes(void)
{
    static char prefix[] = "marketo";
    static struct config config;
    config = (struct config){.instance_count = 0};
    config.topics.prefix = prefix;
    struct config_errors errors = {0};
    routes = routes_create(&config, &errors);
    ck_assert_ptr_nonnull(routes);
}

static void teardown_routes(void)
{
    routes_free(routes);
}

/* The topic must be marketo.{stream}.{type}. */
static void assert_routed(enum stream stream, const char *type, const struct route_facts *facts)
{
    char wanted[300];
    snprintf(wanted, sizeof wanted, "marketo.%s.%s", stream_name(stream), type);
    struct route route;
    ck_assert_int_eq(routes_find(routes, facts, &route), ROUTE_FOUND);
    ck_assert_int_ge(route.topic, 0);
    ck_assert_int_lt(route.topic, (int)routes->topic_count);
    ck_assert_str_eq(routes->topics[route.topic].name, wanted);
    ck_assert_int_ge(route.type, 0);
    ck_assert_int_lt(route.type, (int)routes->type_count);
    ck_assert_str_eq(routes->types[route.type].name, type);
    ck_assert_int_eq((int)routes->types[route.type].stream, (int)stream);
    ck_assert_int_eq((int)route.stream, (int)stream);
}

static void assert_type_routed(enum stream stream, const char *type, const char *ce_type)
{
    assert_routed(stream, type, &(struct route_facts){-1, slice_of(ce_type), SLICE_ABSENT, SLICE_ABSENT});
}

static void assert_name_routed(const char *type, const char *activity_type)
{
    assert_routed(STREAM_ACTIVITY, type,
                  &(struct route_facts){-1, SLICE_ABSENT, slice_of(activity_type), SLICE_ABSENT});
}

static bool is_listed_as_shared(const char *name)
{
    for (size_t i = 0; i < COUNT(shared_audit_topics); i++) {
        if (strcmp(shared_audit_topics[i].name, name) == 0)
            return shared_audit_topics[i].reason[0] != '\0';
    }
    return false;
}

START_TEST(published_activities_have_topics_of_their_own)
{
    ck_assert_uint_eq(COUNT(lead_activities), 63);
    for (size_t i = 0; i < COUNT(lead_activities); i++) {
        assert_name_routed(lead_activities[i].type, lead_activities[i].name);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(lead_activities[i].type, lead_activities[k].type);
    }
}
END_TEST

START_TEST(published_audit_events_have_topics_of_their_own_or_a_reason)
{
    ck_assert_uint_eq(COUNT(audit_events), 23);
    for (size_t i = 0; i < COUNT(audit_events); i++) {
        char ce_type[200];
        snprintf(ce_type, sizeof ce_type, MARKETO "audit.user.%s", audit_events[i].name);
        assert_type_routed(STREAM_AUDIT, audit_events[i].type, ce_type);
        bool shared = false;
        for (size_t k = 0; k < i; k++)
            shared = shared || strcmp(audit_events[i].type, audit_events[k].type) == 0;
        ck_assert_msg(shared == is_listed_as_shared(audit_events[i].name), "%s", audit_events[i].name);
    }
}
END_TEST

START_TEST(published_notifications_have_topics_of_their_own)
{
    ck_assert_uint_eq(COUNT(notifications), 6);
    for (size_t i = 0; i < COUNT(notifications); i++) {
        char ce_type[200];
        snprintf(ce_type, sizeof ce_type, MARKETO "notification.%s", notifications[i].name);
        assert_type_routed(STREAM_NOTIFICATION, notifications[i].type, ce_type);
        for (size_t k = 0; k < i; k++)
            ck_assert_str_ne(notifications[i].type, notifications[k].type);
    }
}
END_TEST

START_TEST(id_type_and_name_lead_to_one_topic)
{
    for (size_t i = 0; i < catalog_type_count; i++) {
        const struct catalog_type *type = &catalog_types[i];
        assert_type_routed(type->stream, type->topic, type->ce_type);
        if (type->stream == STREAM_ACTIVITY)
            assert_name_routed(type->topic, type->name);
        if (type->id >= 0)
            assert_routed(type->stream, type->topic,
                          &(struct route_facts){type->id, SLICE_ABSENT, SLICE_ABSENT, SLICE_ABSENT});

        struct route_facts facts = {-1, slice_of(type->ce_type), SLICE_ABSENT, SLICE_ABSENT};
        struct route route;
        ck_assert_int_eq(routes_find(routes, &facts, &route), ROUTE_FOUND);
        ck_assert_int_eq(route.catalog, (int)i);
    }
}
END_TEST

Suite *suite_published_names(void)
{
    Suite *suite = suite_create("published names");
    TCase *names = tcase_create("topics");
    tcase_add_checked_fixture(names, setup_routes, teardown_routes);
    tcase_add_test(names, published_activities_have_topics_of_their_own);
    tcase_add_test(names, published_audit_events_have_topics_of_their_own_or_a_reason);
    tcase_add_test(names, published_notifications_have_topics_of_their_own);
    tcase_add_test(names, id_type_and_name_lead_to_one_topic);
    suite_add_tcase(suite, names);
    return suite;
}
