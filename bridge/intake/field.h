// SPDX-License-Identifier: Apache-2.0
//
// The members that the bridge reads, by name, and the CloudEvents attributes that
// it writes. Tables and pure functions; any thread.
#ifndef BRIDGE_INTAKE_FIELD_H
#define BRIDGE_INTAKE_FIELD_H

#include "slice.h"

/* Members of an event object, of `event` and of `body` inside it. The first
 * ATTRIBUTE_COUNT are attributes of the record too, in the order in which they are written. */
enum field {
    FIELD_SPECVERSION,
    FIELD_ID,
    FIELD_SOURCE,
    FIELD_TYPE,
    FIELD_TIME,
    FIELD_ORIGINALTIME,
    FIELD_SUBJECT,
    FIELD_DATACONTENTTYPE,
    FIELD_DATASCHEMA,
    FIELD_MUNCHKINID,
    FIELD_LEADID,
    FIELD_EVENTID,
    FIELD_RECIPIENTCLIENTID,
    FIELD_EVENTACTION,
    FIELD_SUBTYPE,
    FIELD_SOURCEAPPLICATION,
    FIELD_MESSAGEID,
    FIELD_MESSAGECREATEDDATE,
    ATTRIBUTE_COUNT,

    FIELD_OLD_EVENTID = ATTRIBUTE_COUNT, /* event_id */
    FIELD_OLD_RECIPIENTCLIENTID,         /* recipient_client_id */
    FIELD_DATA,
    FIELD_EVENT, /* at the top only */
    FIELD_BODY,  /* in `event` only */
    /* This and the rest: of the wrapper, at the top only. The order matters to repeated_field (shape.c),
     * field_find (field.c) and is_passed_on (envelope.c). */
    FIELD_ACTIVITIES,
    FIELD_WRAPPER_MUNCHKINID,
    FIELD_WRAPPER_SOURCEAPPLICATION,
    FIELD_WRAPPER_MESSAGEID,
    FIELD_WRAPPER_MESSAGECREATEDDATE,
    FIELD_COUNT,
    FIELD_NONE = FIELD_COUNT /* a member that is not read */
};

enum level { LEVEL_TOP, LEVEL_EVENT, LEVEL_BODY, LEVEL_COUNT };

/* Members of `data`, or of an activity in a wrapper. */
enum data_field {
    DATA_MUNCHKINID,
    DATA_LEADID,
    DATA_ACTIVITYTYPEID,
    DATA_ACTIVITYTYPE,
    DATA_ACTIVITYDATE,
    DATA_COMPONENTID,
    DATA_COMPONENTTYPE,
    DATA_EVENTACTION,
    DATA_SUBTYPE,
    DATA_MARKETOGUID, /* this and the next: in a wrapper's activity only */
    DATA_ID,
    DATA_FIELD_COUNT,
    DATA_FIELD_NONE = DATA_FIELD_COUNT
};

/* name: decoded, without quotes. */
enum field field_find(struct slice name, enum level level);
enum data_field data_field_find(struct slice name, bool in_wrapper);

/* The name as it is sent. */
const char *field_name(enum field field);
const char *data_field_name(enum data_field field);

/* "ce_id" for FIELD_ID and so on; attributes only. field_header_name() + 3 is the attribute's own name. */
const char *field_header_name(enum field field);

/* Longest name that the bridge reads. */
#define FIELD_NAME_MAX 19

#endif
