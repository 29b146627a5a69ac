# SPDX-License-Identifier: Apache-2.0
"""The schemas of the topics, as a consumer uses them: by file, with a validator that is not the project's."""

import functools
import json

from jsonschema import Draft202012Validator, RefResolver

from harness.bridge import ROOT

FOLDER = ROOT / "schemas" / "json"
SUFFIX = ".schema.json"


def names():
    """Every schema's name: its path without the ending, which is the topic's name with a slash."""
    return sorted(str(path.relative_to(FOLDER))[: -len(SUFFIX)] for path in FOLDER.rglob("*" + SUFFIX))


@functools.lru_cache(maxsize=None)
def validator(name):
    path = FOLDER / (name + SUFFIX)
    schema = json.loads(path.read_text(encoding="utf-8"))
    return Draft202012Validator(schema, resolver=RefResolver(path.as_uri(), schema))


def name_of(topic, prefix):
    """The schema of a topic."""
    assert topic.startswith(prefix + ".")
    stream, _, type_ = topic[len(prefix) + 1:].partition(".")
    if type_.startswith("custom-"):
        type_ = "custom"
    return f"{stream}/{type_}" if type_ else stream


def faults(name, value):
    """What is wrong with a decoded value, in words."""
    return [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in validator(name).iter_errors(value)]


@functools.lru_cache(maxsize=None)
def asyncapi():
    return json.loads((ROOT / "schemas/asyncapi.json").read_text(encoding="utf-8"))


def header_faults(record, component):
    """What is wrong with a record's headers by the AsyncAPI document."""
    schema = asyncapi()["components"]["schemas"][component]
    headers = {name: value.decode() for name, value in record.headers}
    return [error.message for error in Draft202012Validator(schema).iter_errors(headers)]
