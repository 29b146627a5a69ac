# SPDX-License-Identifier: Apache-2.0
"""What consumers rely on: every record that the bridge writes is what the schema of its topic says.

WRITE_EXAMPLES=1 writes schemas/examples/ anew instead of comparing it; then run schemas/generate_schemas.py."""

import copy
import json
import os

import pytest

from conftest import bridges_of, unique_prefix
from harness import events, schemas
from harness.bridge import ACTIVITY, ADOBE, ROOT, TOKEN, run_command

SAMPLES = ROOT / "schemas/samples"
EXAMPLES = ROOT / "schemas/examples"
STREAMS = ("activity", "audit", "notification", "observability")
CUSTOM = 100001
VALID = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.json") if ".invalid." not in path.name)
INVALID = sorted(str(path.relative_to(SAMPLES)) for path in SAMPLES.rglob("*.invalid.json"))

CATALOG = json.loads((ROOT / "schemas/catalog.json").read_text(encoding="utf-8"))
TYPES = {f"{stream}/{entry['type'].replace('_', '-')}" for stream in STREAMS for entry in CATALOG[stream]["types"]}
OWN = {"activity/custom", "activity/other", "audit/other", "notification/other", "observability/other"}


@pytest.fixture(scope="module")
def bridge(tmp_path_factory, broker, request):
    """One topic a type, as the configuration has it by default."""
    makers = bridges_of(request, unique_prefix("schemas"), tmp_path_factory)
    yield next(makers)({"topics": {"route": "type", "custom": [CUSTOM]}})
    next(makers, None)


def check_record(record, prefix):
    """The record is what the schemas of its topic, its stream and all records say. Gives the first one's name."""
    name = schemas.name_of(record.topic, prefix)
    value = json.loads(record.value)
    for one in (name, name.partition("/")[0], "envelope"):
        assert schemas.faults(one, value) == [], f"{record.topic} {one}"
    assert schemas.header_faults(record, "headers") == []
    channel = schemas.asyncapi()["channels"][name.replace("/", ".")]
    assert channel["address"] == "marketo." + name.replace("/", ".")
    return name


def post(bridge, reader, body, path=ADOBE, headers=()):
    before = reader.ends(bridge.prefix)
    answer = bridge.post(path, body, headers)
    assert answer.status == 200
    return reader.read_count(bridge.prefix, answer.json()["events"], before)


def test_there_is_a_sound_schema_for_every_topic():
    assert set(schemas.names()) == TYPES | OWN | set(STREAMS) | {"envelope"}
    for name in schemas.names():
        schemas.validator(name).check_schema(schemas.validator(name).schema)
        assert schemas.validator(name).schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.short
@pytest.mark.parametrize("sample", VALID)
def test_published_sample_is_what_the_schema_of_its_topic_says(bridge, reader, sample):
    records = post(bridge, reader, (SAMPLES / sample).read_bytes())
    assert records
    found = {check_record(record, bridge.prefix) for record in records}
    assert found <= TYPES | {"activity/custom"}


@pytest.mark.parametrize("sample", INVALID)
def test_published_sample_that_is_no_json_is_a_dead_letter_as_described(bridge, reader, sample):
    body = (SAMPLES / sample).read_bytes()
    record, = post(bridge, reader, body)
    assert record.topic == bridge.prefix + ".deadletter"
    assert record.value == body
    assert schemas.header_faults(record, "deadLetterHeaders") == []


def test_parts_of_a_dead_letter_are_as_described(bridge, reader):
    before = reader.ends(bridge.prefix)
    assert bridge.post(ADOBE, b"x" * 2_000_000).json()["dead_lettered"] == 1
    records = reader.read_count(bridge.prefix, 3, before)
    for record in records:
        assert schemas.header_faults(record, "deadLetterHeaders") == []
        assert record.header("dl_parts") == "3"


def test_simulated_events_of_all_types_are_what_the_schemas_say(bridge, reader):
    """Adobe I/O's four streams one by one, so that the rare ones are all there, and the push."""
    reached = set()
    runs = [(ADOBE, "adobe-io", ("--streams", stream)) for stream in STREAMS] + [(ACTIVITY, "activity-push", ())]
    for path, sender, more in runs:
        before = reader.ends(bridge.prefix)
        done = run_command("simulate", "--url", f"http://127.0.0.1:{bridge.port}{path}", "--sender", sender,
                           "--token", TOKEN, "--events", 2000, "--seed", 1, *more)
        assert done.returncode == 0, done.stderr
        records = reader.read_count(bridge.prefix, 2000, before)
        names = {check_record(record, bridge.prefix) for record in records}
        if sender == "activity-push":
            assert names == {name for name in TYPES if name.startswith("activity/")}
        reached |= names
    assert reached == TYPES


# Topic -> its schema, and what makes an event for it.
BESIDE = {
    "activity.custom-100001": ("activity/custom", lambda: events.wrapper(events.activity(type_id=CUSTOM, name="Summit"))),
    "activity.custom": ("activity/custom", lambda: events.wrapper(events.activity(type_id=CUSTOM + 1, name="Summit"))),
    "activity.other": ("activity/other", lambda: events.wrapper(events.activity(type_id=9999, name="Brand New"))),
    "activity.openemail": ("activity/openemail", lambda: events.wrapper(events.activity(type_id=9999, name="Open Email"))),
    "audit.other": ("audit/other", lambda: events.audit_body("brandnew", "Brand New")[1].encode()),
    "notification.other": ("notification/other", lambda: events.notification_body("brand_new")[1].encode()),
    "observability.other": ("observability/other", lambda: events.cloud_event(
        '{"munchkinId":"1"}', type_="com.adobe.platform.marketo.observability.brandnew").encode()),
}


@pytest.mark.parametrize("topic", BESIDE)
def test_topics_for_unlisted_types_have_their_schema(bridge, reader, topic):
    schema, make = BESIDE[topic]
    record, = post(bridge, reader, make())
    assert record.topic == f"{bridge.prefix}.{topic}"
    assert check_record(record, bridge.prefix) == schema


def test_topics_of_whole_streams_have_their_schema(start_bridge, reader):
    bridge = start_bridge({"topics": {"route": "stream"}})
    names = set()
    for sample in VALID:
        names |= {check_record(record, bridge.prefix) for record in post(bridge, reader, (SAMPLES / sample).read_bytes())}
    assert names == set(STREAMS)


def test_an_event_that_says_next_to_nothing_is_what_the_schema_says(bridge, reader):
    body = b'{"type":"com.adobe.platform.marketo.activity.standard.openemail","time":"soon","eventid":null}'
    record, = post(bridge, reader, body)
    value = json.loads(record.value)
    assert check_record(record, bridge.prefix) == "activity/openemail"
    assert {"specversion", "id", "source", "type"} <= set(value) and not {"data", "time", "munchkinid"} & set(value)


@pytest.fixture(scope="module")
def written(bridge, reader):
    """Schema -> a value that the bridge has written to its topic."""
    found = {}
    for sample in VALID:
        for record in post(bridge, reader, (SAMPLES / sample).read_bytes()):
            found[schemas.name_of(record.topic, bridge.prefix)] = json.loads(record.value)
    return found


def changed(value, path, new):
    """A copy with one member set, or taken away by `...`."""
    value = copy.deepcopy(value)
    at = value
    for step in path[:-1]:
        at = at[step]
    if new is ...:
        del at[path[-1]]
    else:
        at[path[-1]] = new
    return value


@pytest.mark.parametrize("name, path, new", [
    ("activity/openemail", ["id"], ...), ("activity/openemail", ["type"], ...),
    ("activity/openemail", ["source"], ...), ("activity/openemail", ["specversion"], ...),
    ("activity/openemail", ["specversion"], "0.3"), ("activity/openemail", ["id"], 1), ("activity/openemail", ["id"], ""),
    ("activity/openemail", ["type"], None), ("activity/openemail", ["time"], 1734460773),
    ("activity/openemail", ["leadid"], 1234), ("activity/openemail", ["munchkinid"], {}),
    ("activity/openemail", ["type"], "com.adobe.platform.marketo.audit.user.email"),
    ("activity/openemail", ["data"], []), ("activity/openemail", ["data"], "text"),
    ("activity/openemail", ["data", "leadId"], {}), ("activity/openemail", ["data", "leadId"], 1.5),
    ("activity/openemail", ["data", "munchkinId"], 123), ("activity/openemail", ["data", "activityDate"], 1734460773),
    ("activity/openemail", ["data", "activityTypeId"], 3), ("activity/openemail", ["data", "activityTypeId"], "3"),
    ("activity/openemail", ["data", "activityTypeId"], True),
    ("activity/openemail", ["data", "attributes"], {}), ("activity/openemail", ["data", "attributes"], ["x"]),
    ("activity/openemail", ["data", "attributes", 0, "name"], 1),
    ("activity/custom", ["data", "activityTypeId"], 10),
    ("audit/email", ["data", "eventAction"], {"campaignId": 1}), ("audit/email", ["data", "componentId"], [1]),
    ("audit/email", ["type"], "com.adobe.platform.marketo.auditor"),
    ("notification/campaign-abort", ["data", "eventAction"], "approve"),
    ("notification/campaign-abort", ["data", "eventAction", "campaignId"], {}),
    ("notification/web-services", ["data", "eventAction", "serviceNames"], "service"),
    ("observability/metrics", ["data", "requests", "received"], "3"),
    ("observability/results", ["data", "requests"], {}),
])
def test_wrong_value_is_refused(written, name, path, new):
    assert schemas.faults(name, written[name]) == []
    assert schemas.faults(name, changed(written[name], path, new)) != []


@pytest.mark.parametrize("name, path, new", [
    ("activity/openemail", ["data"], ...), ("activity/openemail", ["munchkinid"], ...),
    ("activity/openemail", ["data", "munchkinId"], ...), ("activity/openemail", ["time"], None),
    ("activity/openemail", ["futuremember"], {"x": [1]}), ("activity/openemail", ["data", "futuremember"], [1]),
    ("activity/openemail", ["data", "leadId"], 1234), ("activity/openemail", ["data", "campaignId"], None),
    ("activity/openemail", ["data", "activityTypeId"], "10"), ("activity/openemail", ["data", "activityTypeId"], 9999),
    ("activity/openemail", ["data", "attributes"], []),
    ("activity/openemail", ["data", "attributes", 0, "name"], "Brand New"),
    *(("activity/openemail", ["data", "attributes", 0, "value"], value) for value in (None, "x", 1.5, True, [], {})),
    ("activity/openemail", ["data", "attributes", 0, "value"], ...),
    ("activity/openemail", ["data", "attributes", 0, "futuremember"], 1),
    ("audit/email", ["data", "eventAction"], "brand new"), ("audit/email", ["data", "componentType"], "Brand New"),
    ("notification/web-services", ["data", "eventAction"], {}),
])
def test_what_adobe_may_add_or_leave_out_is_accepted(written, name, path, new):
    assert schemas.faults(name, changed(written[name], path, new)) == []


@pytest.mark.parametrize("name", [*STREAMS, "deadletter"])
def test_example_of_the_pages_is_what_the_bridge_writes(bridge, reader, name):
    if name == "deadletter":
        sample = "observability-status.invalid.json"
    else:
        sample = json.loads((ROOT / "schemas/members.json").read_text(encoding="utf-8"))["streams"][name]["sample"]
    record, = post(bridge, reader, (SAMPLES / sample).read_bytes(), headers=[("x-request-id", "4f9d2a")])
    example = {
        "sample": sample, "topic": "marketo" + record.topic[len(bridge.prefix):], "key": record.key.decode(),
        "headers": {name: value.decode() for name, value in record.headers}, "value": record.value.decode(),
    }
    path = EXAMPLES / (name + ".json")
    if os.environ.get("WRITE_EXAMPLES") == "1":
        path.write_text(json.dumps(example, indent=2) + "\n", encoding="utf-8")
    assert json.loads(path.read_text(encoding="utf-8")) == example
