#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Writes what consumers of the topics read: JSON Schemas, the AsyncAPI document
and a page per stream, from catalog.json (which types there are) and members.json
(what their records hold). Python's standard library alone.

    schemas/generate_schemas.py           writes json/, asyncapi.json and docs/
    schemas/generate_schemas.py --check   exit status 1 when one of them is stale"""

import argparse
import json
import pathlib
import sys

import schema_pages
from generate import CUSTOM_ID_FIRST, HERE, OWN_TOPICS, STREAMS, TITLES, CatalogError, load, topic_of, validate

DIALECT = "https://json-schema.org/draft/2020-12/schema"
PREFIX = "marketo"
MARKETO = r"^com\.adobe\.platform\.marketo\."
# Of the documents' own form; raised when a consumer could notice more than a new type or member.
VERSION = "1.0.0"


def open_list(known):
    """Texts of which these are known; others are as good."""
    return {"anyOf": [{"enum": known}, {"type": "string"}]}


def schema(title, description, **rest):
    return {"$schema": DIALECT, "title": title, "description": description, **rest}


def envelope_schema(members):
    return schema("Record of any stream",
                  "The value of a record in the format `structured`: a CloudEvents 1.0 object. Only the required "
                  "members are always there; unknown ones may always come.",
                  type="object", **members["envelope"])


def stream_schema(catalog, members, stream):
    described = members["streams"][stream]
    if stream == "activity":
        # An activity is found by its number, so any type string may stand here but those of other streams.
        others = "|".join(name for name in STREAMS if name != stream)
        type_string = {"not": {"pattern": MARKETO + f"({others})(\\.|$)"}}
    else:
        type_string = {"pattern": MARKETO + stream + r"(\.|$)"}
    rest = {}
    if stream == "activity":
        numbers = sorted(entry["id"] for entry in catalog[stream]["types"] if "id" in entry)
        both = [form for number in numbers for form in (number, str(number))]
        rest["$defs"] = {"catalogId": {"description": "Numbers of the types that have a topic of their own.",
                                       "enum": both}}
    return schema(TITLES[stream], described["about"], allOf=[{"$ref": "envelope.schema.json"}],
                  properties={"type": type_string, "data": {"type": "object", "properties": described["data"]}},
                  **rest)


NOT_OF_THE_CATALOG = {"not": {"$ref": "../activity.schema.json#/$defs/catalogId"}}


def type_schema(catalog, members, stream, entry):
    """The schema of a type's own topic: what is known beyond its stream."""
    data = {}
    if stream == "activity":
        if "id" in entry:
            # The number decides the topic; one that the catalog does not know leaves it to the name.
            data["activityTypeId"] = {"anyOf": [{"enum": [entry["id"], str(entry["id"])]}, NOT_OF_THE_CATALOG],
                                      "examples": [entry["id"]]}
        else:
            data["activityTypeId"] = NOT_OF_THE_CATALOG
        data["activityType"] = {"examples": [entry["name"]]}
        if entry.get("attributes"):
            data["attributes"] = {"items": {"properties": {"name": open_list(entry["attributes"])}}}
    elif stream == "audit":
        data["componentType"] = {"examples": [entry["name"]]}
        if entry.get("actions"):
            data["eventAction"] = open_list(entry["actions"])
    data.update(members["types"].get(f"{stream}.{topic_of(entry)}", {}))
    type_string = catalog[stream]["prefix"] + entry["type"]
    properties = {"type": {"examples": [type_string]}}
    if data:
        properties["data"] = {"properties": data}
    number = f", activity type {entry['id']}" if "id" in entry else ""
    return schema(entry["name"], f"Records of the topic {PREFIX}.{stream}.{topic_of(entry)}{number}.",
                  allOf=[{"$ref": f"../{stream}.schema.json"}], properties=properties)


def own_schema(stream, topic):
    """The topics that stand in no catalog: other, custom."""
    base = [{"$ref": f"../{stream}.schema.json"}]
    if topic == "custom":
        return schema("Custom activity",
                      f"Records of the topics {PREFIX}.activity.custom and {PREFIX}.activity.custom-<number>: "
                      f"activities of the customer's own types, numbers from {CUSTOM_ID_FIRST}.",
                      allOf=base,
                      properties={"type": {"examples": ["com.adobe.platform.marketo.activity.custom"]},
                                  "data": {"properties": {"activityTypeId": NOT_OF_THE_CATALOG}}})
    return schema(f"{TITLES[stream]}: any other type",
                  f"Records of the topic {PREFIX}.{stream}.other: types that the catalog does not know.", allOf=base)


def schemas(catalog, members):
    """Path below json/ -> schema."""
    made = {"envelope.schema.json": envelope_schema(members)}
    for stream in STREAMS:
        made[f"{stream}.schema.json"] = stream_schema(catalog, members, stream)
        for entry in catalog[stream]["types"]:
            made[f"{stream}/{topic_of(entry)}.schema.json"] = type_schema(catalog, members, stream, entry)
        for topic in OWN_TOPICS[stream]:
            made[f"{stream}/{topic}.schema.json"] = own_schema(stream, topic)
    return made


def headers_schema(headers, required):
    return {"type": "object", "required": required, "properties": headers}


def channel(name, title, message=None, description=None, **rest):
    """Name: the topic without prefix."""
    message = message or name
    made = {"address": f"{PREFIX}.{name}", "title": title}
    if description:
        made["description"] = description
    made["messages"] = {message: {"$ref": f"#/components/messages/{message}"}}
    return {**made, **rest}


def asyncapi(catalog, members):
    channels, messages, traits = {}, {}, {}

    def add_message(stream, name, title, path):
        messages[name] = {"name": name, "title": title,
                          "traits": [{"$ref": f"#/components/messageTraits/{stream}"}],
                          "payload": {"$ref": f"./json/{path}"}}

    for stream in STREAMS:
        described = members["streams"][stream]
        tags = [{"name": stream}]
        traits[stream] = {
            "contentType": members["headers"]["content-type"]["const"],
            "headers": {"$ref": "#/components/schemas/headers"},
            "tags": tags,
            "bindings": {"kafka": {"key": {"type": "string", "description": described["key"],
                                           "examples": [described["keyExample"]]}, "bindingVersion": "0.5.0"}},
        }
        for entry in catalog[stream]["types"]:
            name = f"{stream}.{topic_of(entry)}"
            add_message(stream, name, entry["name"], f"{stream}/{topic_of(entry)}.schema.json")
            channels[name] = channel(name, entry["name"], tags=tags)
        for topic in OWN_TOPICS[stream]:
            name = f"{stream}.{topic}"
            title = "Custom activities" if topic == "custom" else f"{TITLES[stream]}: any other type"
            add_message(stream, name, title, f"{stream}/{topic}.schema.json")
            channels[name] = channel(name, title, tags=tags)
        add_message(stream, stream, TITLES[stream], f"{stream}.schema.json")
        channels[stream] = channel(stream, f"{TITLES[stream]}, all types",
                                   description="Only with `topics.route: stream`, and then instead of the topics of "
                                               "the stream's types.", tags=tags)
    channels["activity.custom-id"] = channel(
        "activity.custom-{activityTypeId}", "Custom activities of one type", message="activity.custom",
        description="For every number listed in `topics.custom`.", tags=[{"name": "activity"}],
        parameters={"activityTypeId": {"description": f"Number of the custom type, from {CUSTOM_ID_FIRST}."}})
    messages["deadletter"] = {
        "name": "deadletter", "title": "Dead letter", "contentType": "application/octet-stream",
        "headers": {"$ref": "#/components/schemas/deadLetterHeaders"},
        "payload": {"type": "string", "format": "binary",
                    "description": "The bytes as received, of the event or of the whole body, or a part of them of "
                                   "at most 900,000 bytes."},
        "bindings": {"kafka": {"key": {"type": "string", "description": "munchkinId where known, else the request's "
                                                                        "id."}, "bindingVersion": "0.5.0"}},
    }
    channels["deadletter"] = channel("deadletter", "Dead letters",
                                     description="What cannot be read, is too large for Kafka, or is not Marketo's.")
    return {
        "asyncapi": "3.0.0",
        "info": {
            "title": "marketo-bridge", "version": VERSION,
            "description": f"The Kafka topics that marketo-bridge writes, as it is configured by default: prefix "
                           f"`{PREFIX}`, one topic a type, record format `structured`. Made from the catalog of event "
                           "types.",
            "license": {"name": "Apache-2.0"},
        },
        "defaultContentType": members["headers"]["content-type"]["const"],
        "servers": {"kafka": {"host": "{bootstrap}", "protocol": "kafka",
                              "variables": {"bootstrap": {"default": "localhost:9092",
                                                          "description": "`kafka.bootstrap.servers`"}}}},
        "channels": channels,
        "operations": {f"write.{name}": {"action": "send", "channel": {"$ref": f"#/channels/{name}"}}
                       for name in channels},
        "components": {
            "messages": messages,
            "messageTraits": traits,
            "schemas": {
                "headers": headers_schema(members["headers"], ["content-type", "ce_id", "ce_type"]),
                "deadLetterHeaders": headers_schema(members["deadLetterHeaders"],
                                                    ["dl_reason", "dl_path", "dl_sender", "x-request-id"]),
            },
        },
    }


def text_of(document):
    return json.dumps(document, indent=2) + "\n"


def files(catalog, members, examples):
    """Path below the folder of this file -> content."""
    made = {f"json/{path}": text_of(one) for path, one in schemas(catalog, members).items()}
    made["asyncapi.json"] = text_of(asyncapi(catalog, members))
    for path, text in schema_pages.pages(catalog, members, examples).items():
        made[f"docs/{path}"] = text
    return made


def present(folder):
    """What stands in the folders that hold nothing but what is made here."""
    found = [*folder.glob("json/**/*"), *folder.glob("docs/*"), *folder.glob("asyncapi.json")]
    return {str(path.relative_to(folder)) for path in found if path.is_file()}


def check(folder, made):
    """Paths that are missing, too many or stale."""
    found = present(folder)
    stale = {path for path in found & set(made) if (folder / path).read_text(encoding="utf-8") != made[path]}
    return sorted(stale | (found ^ set(made)))


def write(folder, made):
    for path in present(folder) - set(made):
        (folder / path).unlink()
    for path, text in made.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")


def main(arguments):
    parser = argparse.ArgumentParser(description="Writes JSON Schemas, the AsyncAPI document and the pages.")
    parser.add_argument("--catalog", default=HERE / "catalog.json", help="the list of types")
    parser.add_argument("--output", type=pathlib.Path, default=HERE, help="folder to write to (this one)")
    parser.add_argument("--check", action="store_true", help="write nothing; fail when something is stale")
    options = parser.parse_args(arguments)
    try:
        catalog = load(options.catalog)
        validate(catalog)
        members = load(HERE / "members.json")
        examples = {path.stem: load(path) for path in sorted((HERE / "examples").glob("*.json"))}
    except CatalogError as error:
        for fault in str(error).splitlines():
            print(fault, file=sys.stderr)
        return 1
    topics = {f"{stream}.{topic_of(entry)}" for stream in STREAMS for entry in catalog[stream]["types"]}
    unknown = sorted(set(members["types"]) - topics)
    if unknown:
        print(f"members.json: no type has the topic {', '.join(unknown)}", file=sys.stderr)
        return 1
    made = files(catalog, members, examples)
    if not options.check:
        write(options.output, made)
        return 0
    stale = check(options.output, made)
    for path in stale:
        print(f"{options.output / path} is not what the catalog says; run schemas/generate_schemas.py", file=sys.stderr)
    return 1 if stale else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
