# SPDX-License-Identifier: Apache-2.0
"""Bodies as Adobe sends them, built as text so that every byte is the test's own."""

import json
import uuid

from harness.bridge import MARKER

INSTANCE = "123-ABC-456"

# Members whose bytes a re-serialiser would change: blanks, order, escapes, numbers beyond a double.
ODD = (
    '"z" :\t[ 1.50e+03 , -0.0,1E2 ],"big":9007199254740993,"esc":"\\u00e5\\/\\ud83d\\ude00 é\\u0000\\ud800",'
    '"marker":"' + MARKER + '","again":1,"again":2,"nothing":null, "deep":{"a":{"b":[[],{}]}}'
)


def activity_data(lead='"12345"', type_id=10, name="Open Email", extra=ODD):
    return (
        '{"munchkinId" : "' + INSTANCE + '",  "leadId":' + str(lead) + ',"activityDate":"2026-04-20T18:43:56Z",'
        f'"activityTypeId":{type_id},"activityType":{json.dumps(name)},' + extra + "}"
    )


def cloud_event(data=None, event_id=None, type_="com.adobe.platform.marketo.activity.standard.openemail",
                source="urn:marketo_activity_stream", time="2026-04-21T15:28:49Z", members=""):
    """One flat CloudEvent; `members` is put in as it is, with a comma in front."""
    event_id = event_id or str(uuid.uuid4())
    data = activity_data() if data is None else data
    return (
        '{"eventid":"' + str(uuid.uuid4()) + '","specversion":"1.0",'
        + (f'"type":"{type_}",' if type_ is not None else "")
        + f'"source":"{source}","id":"{event_id}","time":"{time}","datacontenttype":"application/json",'
        + f'"data":{data}' + members + "}"
    )


def activities(count, padding=0):
    """A batch of flat events; gives (body, ids)."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    extra = ODD + ',"padding":"' + "x" * padding + '"' if padding else ODD
    texts = [cloud_event(activity_data(f'"{n + 1}"', extra=extra), event_id) for n, event_id in enumerate(ids)]
    return ("[" + ",".join(texts) + "]").encode(), ids


def addressed(count, recipient, name="recipientclientid"):
    """A batch of flat events to a recipient, in the older or the newer spelling; gives (body, ids)."""
    ids = [str(uuid.uuid4()) for _ in range(count)]
    texts = [cloud_event(event_id=event_id, members=f',"{name}":{json.dumps(recipient)}') for event_id in ids]
    return ("[" + ",".join(texts) + "]").encode(), ids


def activity(lead=12345, type_id=10, name="Open Email", guid=None, extra=ODD):
    """One activity as it stands in the wrapper."""
    return (
        '{ "marketoGUID":"' + (guid or str(uuid.uuid4())) + f'","leadId":{lead},"activityDate":"2026-04-20T18:43:56Z",'
        f'"activityTypeId" : {type_id},"activityType":{json.dumps(name)},{extra} }}'
    )


def wrapper(*members, instance=INSTANCE):
    return (
        '{"sourceApplication":"Marketo","munchkinId":"' + instance + '","messageId":"12345",'
        '"messageCreatedDate":"2026-04-21T15:28:49Z","activities":[' + ",".join(members) + "]}"
    ).encode()


def audit_body(component="landingpage", component_type="Landing Page", component_id="123321", extra=ODD):
    data = (
        '{"componentId": ' + component_id + ',"componentType":' + json.dumps(component_type)
        + ',"eventAction":"approve","munchkinId":"' + INSTANCE + '","userId":"user@marketo.com",' + extra + "}"
    )
    return data, (
        '{"specversion":"1.0","type":"com.adobe.platform.marketo.audit.user.' + component + '","source":"urn:mlm",'
        '"time":"2024-07-11 13:20:42.755","datacontenttype":"application/json","dataschema":"V2.0","data":' + data + "}"
    )


def notification_body(type_="campaign_abort", extra=ODD):
    data = (
        '{"componentType":"' + type_ + '","subType":"user_campaign_abort","eventAction":{"campaignId":1234},'
        '"munchkinId":"' + INSTANCE + '",' + extra + "}"
    )
    return data, (
        '{"specversion":"1.0","type":"com.adobe.platform.marketo.notification.' + type_ + '","source":"urn:mlm",'
        '"time":"2021-05-27T10:22:37.489-5:00","datacontenttype":"application/json","data":' + data + "}"
    )


def members(text):
    """Member -> its raw text, of a JSON object; nothing is decoded but the names."""
    decoder = json.JSONDecoder()
    found = {}
    at = text.index("{") + 1
    while True:
        at = _skip(text, at)
        if text[at] == "}":
            return found
        name, at = decoder.raw_decode(text, at)
        at = _skip(text, at)
        assert text[at] == ":"
        at = _skip(text, at + 1)
        _, end = decoder.raw_decode(text, at)
        assert name not in found, f"{name} stands twice"
        found[name] = text[at:end]
        at = _skip(text, end)
        if text[at] == ",":
            at += 1


def _skip(text, at):
    while text[at] in " \t\r\n":
        at += 1
    return at
