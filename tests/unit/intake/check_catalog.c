// SPDX-License-Identifier: Apache-2.0
//
// Tests of the catalog: its order, its lookups, and that what Adobe publishes is found in it.
#include <stdlib.h>
#include <string.h>

#include "intake/catalog.h"
#include "suites.h"

/* The list of the Lead Activity Data Stream page, with the type strings that its rule gives. */
static const struct {
    int64_t id;
    const char *name, *ce_type;
} lead_activities[] = {
    {1, "Visit Webpage", "com.adobe.platform.marketo.activity.standard.visitwebpage"},
    {2, "Fill Out Form", "com.adobe.platform.marketo.activity.standard.filloutform"},
    {3, "Click Link", "com.adobe.platform.marketo.activity.standard.clicklink"},
    {6, "Send Email", "com.adobe.platform.marketo.activity.standard.sendemail"},
    {7, "Email Delivered", "com.adobe.platform.marketo.activity.standard.emaildelivered"},
    {8, "Email Bounced", "com.adobe.platform.marketo.activity.standard.emailbounced"},
    {9, "Unsubscribe Email", "com.adobe.platform.marketo.activity.standard.unsubscribeemail"},
    {10, "Open Email", "com.adobe.platform.marketo.activity.standard.openemail"},
    {11, "Click Email", "com.adobe.platform.marketo.activity.standard.clickemail"},
    {12, "New Lead", "com.adobe.platform.marketo.activity.standard.newlead"},
    {13, "Change Data Value", "com.adobe.platform.marketo.activity.standard.changedatavalue"},
    {19, "Sync Lead to SFDC", "com.adobe.platform.marketo.activity.standard.syncleadtosfdc"},
    {21, "Convert Lead", "com.adobe.platform.marketo.activity.standard.convertlead"},
    {22, "Change Score", "com.adobe.platform.marketo.activity.standard.changescore"},
    {23, "Change Owner", "com.adobe.platform.marketo.activity.standard.changeowner"},
    {24, "Add To List", "com.adobe.platform.marketo.activity.standard.addtolist"},
    {25, "Remove from List", "com.adobe.platform.marketo.activity.standard.removefromlist"},
    {26, "SFDC Activity", "com.adobe.platform.marketo.activity.standard.sfdcactivity"},
    {27, "Email Bounced Soft", "com.adobe.platform.marketo.activity.standard.emailbouncedsoft"},
    {28, "Sync Lead Updates to SFDC", "com.adobe.platform.marketo.activity.standard.syncleadupdatestosfdc"},
    {29, "Delete Lead from SFDC", "com.adobe.platform.marketo.activity.standard.deleteleadfromsfdc"},
    {30, "SFDC Activity Updated", "com.adobe.platform.marketo.activity.standard.sfdcactivityupdated"},
    {31, "SFDC Merge Leads", "com.adobe.platform.marketo.activity.standard.sfdcmergeleads"},
    {32, "Merge Leads", "com.adobe.platform.marketo.activity.standard.mergeleads"},
    {34, "Add to Opportunity", "com.adobe.platform.marketo.activity.standard.addtoopportunity"},
    {37, "Delete Lead", "com.adobe.platform.marketo.activity.standard.deletelead"},
    {38, "Send Alert", "com.adobe.platform.marketo.activity.standard.sendalert"},
    {39, "Send Sales Email", "com.adobe.platform.marketo.activity.standard.sendsalesemail"},
    {40, "Open Sales Email", "com.adobe.platform.marketo.activity.standard.opensalesemail"},
    {41, "Click Sales Email", "com.adobe.platform.marketo.activity.standard.clicksalesemail"},
    {42, "Add to SFDC Campaign", "com.adobe.platform.marketo.activity.standard.addtosfdccampaign"},
    {43, "Remove from SFDC Campaign", "com.adobe.platform.marketo.activity.standard.removefromsfdccampaign"},
    {44, "Change Status in SFDC Campaign",
     "com.adobe.platform.marketo.activity.standard.changestatusinsfdccampaign"},
    {45, "Receive Sales Email", "com.adobe.platform.marketo.activity.standard.receivesalesemail"},
    {46, "Interesting Moment", "com.adobe.platform.marketo.activity.standard.interestingmoment"},
    {47, "Request Campaign", "com.adobe.platform.marketo.activity.standard.requestcampaign"},
    {48, "Sales Email Bounced", "com.adobe.platform.marketo.activity.standard.salesemailbounced"},
    {100, "Change Lead Partition", "com.adobe.platform.marketo.activity.standard.changeleadpartition"},
    {101, "Change Revenue Stage", "com.adobe.platform.marketo.activity.standard.changerevenuestage"},
    {104, "Change Status In Progression",
     "com.adobe.platform.marketo.activity.standard.changestatusinprogression"},
    {108, "Change Segment", "com.adobe.platform.marketo.activity.standard.changesegment"},
    {110, "Call Webhook", "com.adobe.platform.marketo.activity.standard.callwebhook"},
    {111, "Send Forward to Friend Email",
     "com.adobe.platform.marketo.activity.standard.sendforwardtofriendemail"},
    {112, "Receive Forward to Friend Email",
     "com.adobe.platform.marketo.activity.standard.receiveforwardtofriendemail"},
    {113, "Add To Nurture", "com.adobe.platform.marketo.activity.standard.addtonurture"},
    {114, "Change Nurture Track", "com.adobe.platform.marketo.activity.standard.changenurturetrack"},
    {115, "Change Nurture Cadence", "com.adobe.platform.marketo.activity.standard.changenurturecadence"},
    {123, "Change Program Member Data",
     "com.adobe.platform.marketo.activity.standard.changeprogrammemberdata"},
    {131, "Fill Out Facebook Lead Ads Form",
     "com.adobe.platform.marketo.activity.standard.filloutfacebookleadadsform"},
    {132, "Click RTP Call to Action", "com.adobe.platform.marketo.activity.standard.clickrtpcalltoaction"},
    {133, "Click Predictive Content", "com.adobe.platform.marketo.activity.standard.clickpredictivecontent"},
    {145, "Push Lead to Marketo", "com.adobe.platform.marketo.activity.standard.pushleadtomarketo"},
    {147, "Fill Out Linked Lead Gen Form",
     "com.adobe.platform.marketo.activity.standard.filloutlinkedleadgenform"},
    {300, "Sync Lead to Microsoft", "com.adobe.platform.marketo.activity.standard.syncleadtomicrosoft"},
    {400, "Share Content", "com.adobe.platform.marketo.activity.standard.sharecontent"},
    {401, "Vote in Poll", "com.adobe.platform.marketo.activity.standard.voteinpoll"},
    {402, "Sign Up for Referral Offer",
     "com.adobe.platform.marketo.activity.standard.signupforreferraloffer"},
    {403, "Achieve Goal In Referral", "com.adobe.platform.marketo.activity.standard.achievegoalinreferral"},
    {405, "Click Shared Link", "com.adobe.platform.marketo.activity.standard.clicksharedlink"},
    {406, "Win Sweepstakes", "com.adobe.platform.marketo.activity.standard.winsweepstakes"},
    {407, "Enter Sweepstakes", "com.adobe.platform.marketo.activity.standard.entersweepstakes"},
    {408, "Disqualify Sweepstakes", "com.adobe.platform.marketo.activity.standard.disqualifysweepstakes"},
    {409, "Earn Entry In Social App", "com.adobe.platform.marketo.activity.standard.earnentryinsocialapp"},
    {410, "Refer to Social App", "com.adobe.platform.marketo.activity.standard.refertosocialapp"},
};

/* Names of other documents, under which an activity may come. */
static const struct {
    int64_t id;
    const char *name, *topic;
} other_names[] = {
    {24, "Add to List", "addtolist"},
    {35, "Remove from Opportunity", "removefromopportunity"},
    {36, "Update Opportunity", "updateopportunity"},
    {42, "Add to Sales Campaign", "addtosfdccampaign"},
    {44, "Change Status in Sales Campaign", "changestatusinsfdccampaign"},
    {102, "Change Revenue Stage Manually", "changerevenuestagemanually"},
    {104, "Change Status in Progression", "changestatusinprogression"},
    {106, "Enrich with Data.com", "enrichwithdatacom"},
    {106, "EnrichWithDataDotCom", "enrichwithdatacom"},
    {111, "Sent Forward to Friend Email", "sendforwardtofriendemail"},
    {112, "Received Forward to Friend Email", "receiveforwardtofriendemail"},
    {113, "Add to Nurture", "addtonurture"},
    {129, "Mobile App Session", "mobileappsession"},
    {147, "Fill Out LinkedIn Lead Gen Form", "filloutlinkedleadgenform"},
    {147, "LinkedIn Lead Gen Form", "filloutlinkedleadgenform"},
    {155, "Execute Campaign", "executecampaign"},
    {403, "Achieve Goal in Referral", "achievegoalinreferral"},
    {409, "Earn Entry in Social App", "earnentryinsocialapp"},
    {-1, "Change Program Data", "changeprogramdata"},
    {-1, "Engaged with a Dialogue", "engagedwithadialogue"},
    {-1, "Reply to Sales Email", "replytosalesemail"},
};

/* The components of the User Audit Data Stream page. */
static const struct {
    const char *name, *topic;
} audit_components[] = {
    {"Default Program", "defaultprogram"},
    {"Email", "email"},
    {"Email Batch Program", "emailbatchprogram"},
    {"Email Template", "emailtemplate"},
    {"Engagement Program", "engagementprogram"},
    {"Event Program", "eventprogram"},
    {"Folder", "folder"},
    {"Form", "form"},
    {"Landing Page", "landingpage"},
    {"Landing Page Template", "landingpagetemplate"},
    {"List", "list"},
    {"Marketing Folder", "marketingfolder"},
    {"Nurture Program", "nurtureprogram"},
    {"Segment", "segment"},
    {"Segmentation", "segmentation"},
    {"Smart Campaign", "smartcampaign"},
    {"Smart List", "smartlist"},
    {"Snippet", "snippet"},
    {"Login", "login"},
    {"Role", "role"},
    {"User", "user"},
};

#define COUNT(array) (sizeof(array) / sizeof(array)[0])

START_TEST(types_are_sorted_by_stream_and_complete)
{
    ck_assert_uint_gt(catalog_type_count, 0);
    for (size_t i = 0; i < catalog_type_count; i++) {
        const struct catalog_type *type = &catalog_types[i];
        ck_assert_int_lt((int)type->stream, STREAM_COUNT);
        if (i > 0)
            ck_assert_int_ge((int)type->stream, (int)catalog_types[i - 1].stream);
        ck_assert_uint_gt(strlen(type->topic), 0);
        ck_assert_uint_eq(strspn(type->topic, "abcdefghijklmnopqrstuvwxyz0123456789-"), strlen(type->topic));
        ck_assert_ptr_nonnull(type->name);
        ck_assert_ptr_nonnull(strstr(type->ce_type, "com.adobe.platform.marketo."));
        ck_assert_ptr_nonnull(type->attributes);
        if (type->stream != STREAM_ACTIVITY)
            ck_assert_int_eq(type->id, -1);
    }
}
END_TEST

START_TEST(every_type_is_found_by_its_own_names)
{
    for (size_t i = 0; i < catalog_type_count; i++) {
        const struct catalog_type *type = &catalog_types[i];
        ck_assert_int_eq(catalog_find_name(type->stream, slice_of(type->name)), (int)i);
        ck_assert_int_eq(catalog_find_name(type->stream, slice_of(type->topic)), (int)i);
        ck_assert_int_eq(catalog_find_name(type->stream, slice_of(strrchr(type->ce_type, '.') + 1)), (int)i);
        if (type->id >= 0)
            ck_assert_int_eq(catalog_find_activity_id(type->id), (int)i);
    }
}
END_TEST

START_TEST(the_published_lead_activities_are_known)
{
    ck_assert_uint_eq(COUNT(lead_activities), 64);
    for (size_t i = 0; i < COUNT(lead_activities); i++) {
        int type = catalog_find_activity_id(lead_activities[i].id);
        ck_assert_msg(type >= 0, "id %d", (int)lead_activities[i].id);
        ck_assert_str_eq(catalog_types[type].name, lead_activities[i].name);
        ck_assert_str_eq(catalog_types[type].ce_type, lead_activities[i].ce_type);
        ck_assert_str_eq(catalog_types[type].topic, strrchr(lead_activities[i].ce_type, '.') + 1);
        ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of(lead_activities[i].name)), type);
    }
}
END_TEST

START_TEST(names_of_other_documents_are_known)
{
    for (size_t i = 0; i < COUNT(other_names); i++) {
        int type = catalog_find_name(STREAM_ACTIVITY, slice_of(other_names[i].name));
        ck_assert_msg(type >= 0, "%s", other_names[i].name);
        ck_assert_str_eq(catalog_types[type].topic, other_names[i].topic);
        ck_assert_int_eq(catalog_types[type].id, other_names[i].id);
    }
}
END_TEST

START_TEST(the_published_audit_components_are_known)
{
    ck_assert_uint_eq(COUNT(audit_components), 21);
    for (size_t i = 0; i < COUNT(audit_components); i++) {
        int type = catalog_find_name(STREAM_AUDIT, slice_of(audit_components[i].name));
        ck_assert_msg(type >= 0, "%s", audit_components[i].name);
        ck_assert_str_eq(catalog_types[type].topic, audit_components[i].topic);
    }
}
END_TEST

START_TEST(notification_codes_and_their_topics)
{
    static const char *const spellings[] = {"campaign_abort", "campaign-abort", "Campaign Abort",
                                            "CAMPAIGNABORT"};
    for (size_t i = 0; i < COUNT(spellings); i++) {
        int type = catalog_find_name(STREAM_NOTIFICATION, slice_of(spellings[i]));
        ck_assert_int_ge(type, 0);
        ck_assert_str_eq(catalog_types[type].topic, "campaign-abort");
        ck_assert_str_eq(catalog_types[type].ce_type,
                         "com.adobe.platform.marketo.notification.campaign_abort");
    }
}
END_TEST

START_TEST(attributes_of_an_activity)
{
    int type = catalog_find_activity_id(9);
    ck_assert_int_ge(type, 0);
    size_t count = 0;
    bool address = false;
    for (const char *const *name = catalog_types[type].attributes; *name != NULL; name++) {
        count++;
        address = address || strcmp(*name, "Client IP Address") == 0;
        ck_assert_str_ne(*name, "Client ID Address");
    }
    ck_assert_uint_eq(count, 9);
    ck_assert(address);
    ck_assert_ptr_null(catalog_types[catalog_find_activity_id(37)].attributes[0]);
}
END_TEST

START_TEST(unknown_ids_and_names)
{
    static const int64_t ids[] = {INT64_MIN, -1,    0,      4,      5,          404,
                                  411,       99999, 100000, 100001, 4294967297, INT64_MAX};
    for (size_t i = 0; i < COUNT(ids); i++)
        ck_assert_int_eq(catalog_find_activity_id(ids[i]), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, SLICE_ABSENT), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of("")), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of(" ._-")), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of("openemai")), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of("openemails")), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, slice_of("landingpage")), -1);
    ck_assert_int_eq(catalog_find_name(STREAM_AUDIT, slice_of("openemail")), -1);
}
END_TEST

START_TEST(a_name_is_read_up_to_its_length_only)
{
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, (struct slice){"Open EmailX", 10}),
                     catalog_find_activity_id(10));
}
END_TEST

START_TEST(long_names_are_unknown)
{
    char name[129];
    memset(name, ' ', sizeof name);
    memcpy(name, "openemail", 9);
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, (struct slice){name, 128}),
                     catalog_find_activity_id(10));
    ck_assert_int_eq(catalog_find_name(STREAM_ACTIVITY, (struct slice){name, 129}), -1);
}
END_TEST

START_TEST(normalising)
{
    static const struct {
        const char *name, *wanted;
    } cases[] = {
        {"Open Email", "openemail"},
        {"OPEN-EMAIL_2", "openemail2"},
        {"Enrich with Data.com", "enrichwithdatacom"},
        {"@AZ[`az{/09:", "azaz09"},
        {"\xc3\x96ppna E-post", "ppnaepost"},
        {"", ""},
        {"\xe2\x86\x92", ""},
    };
    char out[32];
    for (size_t i = 0; i < COUNT(cases); i++) {
        size_t length = catalog_normalise(slice_of(cases[i].name), out, sizeof out);
        ck_assert_uint_eq(length, strlen(cases[i].wanted));
        ck_assert_int_eq(memcmp(out, cases[i].wanted, length), 0);
    }
}
END_TEST

START_TEST(normalising_stays_inside_the_buffer)
{
    char out[5] = "....";
    ck_assert_uint_eq(catalog_normalise(slice_of("A b-C"), out, 3), 3);
    ck_assert_int_eq(memcmp(out, "abc.", 5), 0);
    memcpy(out, "....", 5);
    ck_assert_uint_eq(catalog_normalise(slice_of("abcd"), out, 3), 0);
    ck_assert_int_eq(out[3], '.');
    ck_assert_uint_eq(catalog_normalise(slice_of("a"), out, 0), 0);
    ck_assert_uint_eq(catalog_normalise(SLICE_ABSENT, out, sizeof out), 0);
}
END_TEST

Suite *suite_catalog(void)
{
    Suite *suite = suite_create("catalog");
    TCase *table = tcase_create("table");
    tcase_add_test(table, types_are_sorted_by_stream_and_complete);
    tcase_add_test(table, every_type_is_found_by_its_own_names);
    tcase_add_test(table, the_published_lead_activities_are_known);
    tcase_add_test(table, names_of_other_documents_are_known);
    tcase_add_test(table, the_published_audit_components_are_known);
    tcase_add_test(table, notification_codes_and_their_topics);
    tcase_add_test(table, attributes_of_an_activity);
    suite_add_tcase(suite, table);
    TCase *lookups = tcase_create("lookups");
    tcase_add_test(lookups, unknown_ids_and_names);
    tcase_add_test(lookups, a_name_is_read_up_to_its_length_only);
    tcase_add_test(lookups, long_names_are_unknown);
    tcase_add_test(lookups, normalising);
    tcase_add_test(lookups, normalising_stays_inside_the_buffer);
    suite_add_tcase(suite, lookups);
    return suite;
}
