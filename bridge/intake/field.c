// SPDX-License-Identifier: Apache-2.0
//
// The names of the members that the bridge reads. They are told apart by their
// length first, since a name is looked up for every member of every event.
#include "intake/field.h"

static const char *const header_names[ATTRIBUTE_COUNT] = {
    [FIELD_SPECVERSION] = "ce_specversion",
    [FIELD_ID] = "ce_id",
    [FIELD_SOURCE] = "ce_source",
    [FIELD_TYPE] = "ce_type",
    [FIELD_TIME] = "ce_time",
    [FIELD_ORIGINALTIME] = "ce_originaltime",
    [FIELD_SUBJECT] = "ce_subject",
    [FIELD_DATACONTENTTYPE] = "ce_datacontenttype",
    [FIELD_DATASCHEMA] = "ce_dataschema",
    [FIELD_MUNCHKINID] = "ce_munchkinid",
    [FIELD_LEADID] = "ce_leadid",
    [FIELD_EVENTID] = "ce_eventid",
    [FIELD_RECIPIENTCLIENTID] = "ce_recipientclientid",
    [FIELD_EVENTACTION] = "ce_eventaction",
    [FIELD_SUBTYPE] = "ce_subtype",
    [FIELD_SOURCEAPPLICATION] = "ce_sourceapplication",
    [FIELD_MESSAGEID] = "ce_messageid",
    [FIELD_MESSAGECREATEDDATE] = "ce_messagecreateddate",
};

static const char *const other_names[FIELD_COUNT - ATTRIBUTE_COUNT] = {
    [FIELD_OLD_EVENTID - ATTRIBUTE_COUNT] = "event_id",
    [FIELD_OLD_RECIPIENTCLIENTID - ATTRIBUTE_COUNT] = "recipient_client_id",
    [FIELD_DATA - ATTRIBUTE_COUNT] = "data",
    [FIELD_EVENT - ATTRIBUTE_COUNT] = "event",
    [FIELD_BODY - ATTRIBUTE_COUNT] = "body",
    [FIELD_ACTIVITIES - ATTRIBUTE_COUNT] = "activities",
    [FIELD_WRAPPER_MUNCHKINID - ATTRIBUTE_COUNT] = "munchkinId",
    [FIELD_WRAPPER_SOURCEAPPLICATION - ATTRIBUTE_COUNT] = "sourceApplication",
    [FIELD_WRAPPER_MESSAGEID - ATTRIBUTE_COUNT] = "messageId",
    [FIELD_WRAPPER_MESSAGECREATEDDATE - ATTRIBUTE_COUNT] = "messageCreatedDate",
};

static const char *const data_names[DATA_FIELD_COUNT] = {
    [DATA_MUNCHKINID] = "munchkinId",
    [DATA_LEADID] = "leadId",
    [DATA_ACTIVITYTYPEID] = "activityTypeId",
    [DATA_ACTIVITYTYPE] = "activityType",
    [DATA_ACTIVITYDATE] = "activityDate",
    [DATA_COMPONENTID] = "componentId",
    [DATA_COMPONENTTYPE] = "componentType",
    [DATA_EVENTACTION] = "eventAction",
    [DATA_SUBTYPE] = "subType",
    [DATA_MARKETOGUID] = "marketoGUID",
    [DATA_ID] = "id",
};

const char *field_header_name(enum field field)
{
    return header_names[field];
}

const char *field_name(enum field field)
{
    return field < ATTRIBUTE_COUNT ? header_names[field] + 3 : other_names[field - ATTRIBUTE_COUNT];
}

const char *data_field_name(enum data_field field)
{
    return data_names[field];
}

/* Only where the length is known to fit. */
#define IS(text) (memcmp(name.ptr, (text), sizeof(text) - 1) == 0)

/* Whatever the level. */
static enum field find_anywhere(struct slice name)
{
    switch (name.len) {
    case 2:
        return IS("id") ? FIELD_ID : FIELD_NONE;
    case 4:
        return IS("type")   ? FIELD_TYPE
               : IS("time") ? FIELD_TIME
               : IS("data") ? FIELD_DATA
               : IS("body") ? FIELD_BODY
                            : FIELD_NONE;
    case 5:
        return IS("event") ? FIELD_EVENT : FIELD_NONE;
    case 6:
        return IS("source") ? FIELD_SOURCE : IS("leadid") ? FIELD_LEADID : FIELD_NONE;
    case 7:
        return IS("eventid")   ? FIELD_EVENTID
               : IS("subject") ? FIELD_SUBJECT
               : IS("subtype") ? FIELD_SUBTYPE
                               : FIELD_NONE;
    case 8:
        return IS("event_id") ? FIELD_OLD_EVENTID : FIELD_NONE;
    case 9:
        return IS("messageId") ? FIELD_WRAPPER_MESSAGEID : IS("messageid") ? FIELD_MESSAGEID : FIELD_NONE;
    case 10:
        return IS("dataschema")   ? FIELD_DATASCHEMA
               : IS("munchkinId") ? FIELD_WRAPPER_MUNCHKINID
               : IS("munchkinid") ? FIELD_MUNCHKINID
               : IS("activities") ? FIELD_ACTIVITIES
                                  : FIELD_NONE;
    case 11:
        return IS("specversion") ? FIELD_SPECVERSION : IS("eventaction") ? FIELD_EVENTACTION : FIELD_NONE;
    case 12:
        return IS("originaltime") ? FIELD_ORIGINALTIME : FIELD_NONE;
    case 15:
        return IS("datacontenttype") ? FIELD_DATACONTENTTYPE : FIELD_NONE;
    case 17:
        return IS("recipientclientid")   ? FIELD_RECIPIENTCLIENTID
               : IS("sourceApplication") ? FIELD_WRAPPER_SOURCEAPPLICATION
               : IS("sourceapplication") ? FIELD_SOURCEAPPLICATION
                                         : FIELD_NONE;
    case 18:
        return IS("messageCreatedDate")   ? FIELD_WRAPPER_MESSAGECREATEDDATE
               : IS("messagecreateddate") ? FIELD_MESSAGECREATEDDATE
                                          : FIELD_NONE;
    case 19:
        return IS("recipient_client_id") ? FIELD_OLD_RECIPIENTCLIENTID : FIELD_NONE;
    default:
        return FIELD_NONE;
    }
}

enum field field_find(struct slice name, enum level level)
{
    enum field field = find_anywhere(name);
    if (field == FIELD_BODY)
        return level == LEVEL_EVENT ? field : FIELD_NONE;
    if (field == FIELD_EVENT || field >= FIELD_ACTIVITIES)
        return level == LEVEL_TOP ? field : FIELD_NONE;
    return field;
}

enum data_field data_field_find(struct slice name, bool in_wrapper)
{
    switch (name.len) {
    case 2:
        return in_wrapper && IS("id") ? DATA_ID : DATA_FIELD_NONE;
    case 6:
        return IS("leadId") ? DATA_LEADID : DATA_FIELD_NONE;
    case 7:
        return IS("subType") ? DATA_SUBTYPE : DATA_FIELD_NONE;
    case 10:
        return IS("munchkinId") ? DATA_MUNCHKINID : DATA_FIELD_NONE;
    case 11:
        return IS("componentId")                 ? DATA_COMPONENTID
               : IS("eventAction")               ? DATA_EVENTACTION
               : in_wrapper && IS("marketoGUID") ? DATA_MARKETOGUID
                                                 : DATA_FIELD_NONE;
    case 12:
        return IS("activityType")   ? DATA_ACTIVITYTYPE
               : IS("activityDate") ? DATA_ACTIVITYDATE
                                    : DATA_FIELD_NONE;
    case 13:
        return IS("componentType") ? DATA_COMPONENTTYPE : DATA_FIELD_NONE;
    case 14:
        return IS("activityTypeId") ? DATA_ACTIVITYTYPEID : DATA_FIELD_NONE;
    default:
        return DATA_FIELD_NONE;
    }
}
