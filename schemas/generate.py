#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Checks catalog.json and writes what is made from it: the C table of
bridge/intake/catalog.c, the list of topics and catalog.md. The build runs it
with Python's standard library alone; any fault of the catalog ends it with
exit status 1 and one line per fault."""

import argparse
import json
import pathlib
import re
import sys

HERE = pathlib.Path(__file__).resolve().parent

# In the order of enum stream of bridge/batch.h.
STREAMS = ("activity", "audit", "notification", "observability")

# Topics that routing adds to those of the catalog.
OWN_TOPICS = {"activity": ("custom", "other"), "audit": ("other",), "notification": ("other",),
              "observability": ("other",)}

COMMON_FIELDS = {"name", "type", "printed", "aliases", "source", "remark"}
STREAM_FIELDS = {"activity": {"id", "attributes"}, "audit": {"actions"}, "notification": set(),
                 "observability": set()}

CUSTOM_ID_FIRST = 100000
NAME_MAX = 128  # CATALOG_NAME_MAX of bridge/intake/catalog_table.h

# How the four streams are headed in catalog.md.
TITLES = {"activity": "Lead activities", "audit": "User audit", "notification": "Notifications",
          "observability": "Observability"}


class CatalogError(Exception):
    """Everything that is wrong with the catalog, one fault a line."""


def normalise(name):
    """Adobe's rule for type names, as catalog_normalise() does it."""
    return re.sub("[^a-z0-9]", "", name.lower())


def topic_of(entry):
    return entry["type"].replace("_", "-")


def refuse_duplicate_members(pairs):
    members = dict(pairs)
    if len(members) != len(pairs):
        names = [name for name, _ in pairs]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise CatalogError(f"a JSON object has the member {', '.join(twice)} more than once")
    return members


def load(path):
    try:
        text = pathlib.Path(path).read_text(encoding="utf-8")
        return json.loads(text, object_pairs_hook=refuse_duplicate_members)
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise CatalogError(str(error)) from error


def is_text(value):
    """Printable ASCII without the bars that would break a Markdown table."""
    return isinstance(value, str) and re.fullmatch(r"[ -{}~]+", value) is not None and value.strip() == value


def is_text_list(value):
    return isinstance(value, list) and all(is_text(item) for item in value)


def check_fields(stream, entry, sources):
    """The faults of one entry, looked at by itself."""
    if not isinstance(entry, dict):
        return ["is not an object"]
    faults = []
    for field in sorted(set(entry) - COMMON_FIELDS - STREAM_FIELDS[stream]):
        faults.append(f"has the unknown member {field}")
    for field in ("name", "type"):
        if not is_text(entry.get(field)):
            faults.append(f"needs {field}, a printable ASCII text without bars")
    if not isinstance(entry.get("printed"), bool):
        faults.append("needs printed, true when a document shows its type string, else false")
    for field in ("aliases", "attributes", "actions"):
        values = entry.get(field, [])
        if not is_text_list(values):
            faults.append(f"{field} is not a list of printable ASCII texts")
        elif len(set(values)) != len(values):
            faults.append(f"{field} names something twice")
    if "remark" in entry and not is_text(entry["remark"]):
        faults.append("remark is not a printable ASCII text")
    source = entry.get("source")
    if not is_text_list(source) or not source:
        faults.append("needs source, a list of tags")
    else:
        faults += [f"has the unknown source {tag}" for tag in source if tag not in sources]
    if "id" in entry:
        number = entry["id"]
        if not isinstance(number, int) or isinstance(number, bool) or not 0 < number < CUSTOM_ID_FIRST:
            faults.append(f"id is not a number from 1 to {CUSTOM_ID_FIRST - 1}")
    return faults


def check_type(stream, entry):
    """The faults of the type and of the topic made from it."""
    faults = []
    if not re.fullmatch("[a-z0-9]+(_[a-z0-9]+)*", entry["type"]):
        faults.append(f"type {entry['type']} is not lower case words, joined by _")
    elif stream in ("activity", "audit") and entry["type"] != normalise(entry["name"]):
        faults.append(f"type {entry['type']} is not its name by Adobe's rule, {normalise(entry['name'])}")
    topic = topic_of(entry)
    if topic in OWN_TOPICS[stream] or (stream == "activity" and topic.startswith("custom-")):
        faults.append(f"the topic {topic} is reserved")
    return faults


def keys_of(entry):
    """(normalised, as written) of every name by which the entry is found."""
    own = [(normalise(entry["type"]), entry["type"])]
    if normalise(entry["name"]) != own[0][0]:
        own.append((normalise(entry["name"]), entry["name"]))
    return own, [(normalise(alias), alias) for alias in entry.get("aliases", [])]


def check_collisions(stream, entries):
    """The faults between entries of one stream: the same id or the same name."""
    faults = []
    ids = {}
    names = {}
    for entry in entries:
        where = f"{stream} \"{entry['name']}\""
        if "id" in entry:
            if entry["id"] in ids:
                faults.append(f"{where}: id {entry['id']} is that of \"{ids[entry['id']]}\" already")
            ids.setdefault(entry["id"], entry["name"])
        own, aliases = keys_of(entry)
        for key, text in own + aliases:
            if not 0 < len(key) <= NAME_MAX or len(text) > NAME_MAX:
                faults.append(f"{where}: \"{text}\" is empty after normalising or over {NAME_MAX} characters")
            elif key in names and names[key] is not entry:
                faults.append(f"{where}: \"{text}\" means \"{names[key]['name']}\" already (both are {key})")
            elif key in names:
                faults.append(f"{where}: \"{text}\" says nothing new, {key} is known without it")
            else:
                names[key] = entry
    return faults


def validate(catalog):
    """Raises CatalogError with every fault."""
    if not isinstance(catalog, dict) or set(catalog) != {"sources", *STREAMS}:
        raise CatalogError(f"the catalog needs exactly the members sources, {', '.join(STREAMS)}")
    sources = catalog["sources"]
    if not isinstance(sources, dict) or not all(is_text(v) for kv in sources.items() for v in kv):
        raise CatalogError("sources is not an object of printable ASCII texts")
    faults = []
    used = set()
    for stream in STREAMS:
        section = catalog[stream]
        if not isinstance(section, dict) or set(section) != {"prefix", "types"}:
            faults.append(f"{stream} needs exactly the members prefix and types")
            continue
        if not is_text(section["prefix"]) or not re.fullmatch(r"[a-z.]+\.", section["prefix"]):
            faults.append(f"{stream}: prefix is not lower case words, each with a dot behind it")
        if not isinstance(section["types"], list) or not section["types"]:
            faults.append(f"{stream}: types is not a list with at least one entry")
            continue
        sound = []
        for number, entry in enumerate(section["types"], 1):
            found = check_fields(stream, entry, sources)
            if not found:
                found = check_type(stream, entry)
                sound.append(entry)
                used.update(entry["source"])
            label = f"{stream} \"{entry['name']}\"" if isinstance(entry, dict) and is_text(entry.get("name")) \
                else f"{stream} entry {number}"
            faults += [f"{label}: {fault}" for fault in found]
        faults += check_collisions(stream, sound)
    if not faults:
        faults += [f"source {tag} is used by no entry" for tag in sources if tag not in used]
    if faults:
        raise CatalogError("\n".join(faults))


def c_text(text):
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def render_c(catalog):
    """The C file; its declarations stand in catalog.h and catalog_table.h."""
    out = ["// SPDX-License-Identifier: Apache-2.0", "//",
           "// Generated from schemas/catalog.json by schemas/generate.py; do not edit.",
           "// Read-only data; any thread.", '#include "intake/catalog_table.h"', ""]
    for number, stream in enumerate(STREAMS):
        out.append(f'_Static_assert(STREAM_{stream.upper()} == {number}, "the order of the streams");')
    out += [f'_Static_assert(STREAM_COUNT == {len(STREAMS)}, "the number of streams");',
            f'_Static_assert(CATALOG_NAME_MAX == {NAME_MAX}, "the length of a name");', ""]
    rows, ids, keys, starts = [], [], [], []
    out.append("static const char *const no_attributes[] = {NULL};")
    for stream in STREAMS:
        starts.append(len(keys))
        stream_keys = []
        for entry in catalog[stream]["types"]:
            index = len(rows)
            attributes = "no_attributes"
            if entry.get("attributes"):
                attributes = f"attributes_{index}"
                texts = ", ".join(c_text(a) for a in entry["attributes"])
                out.append(f"static const char *const {attributes}[] = {{{texts}, NULL}};")
            if "id" in entry:
                ids.append((entry["id"], index))
            own, aliases = keys_of(entry)
            stream_keys += [(key, index) for key, _ in own + aliases]
            rows.append(f"    {{STREAM_{stream.upper()}, {c_text(topic_of(entry))}, {c_text(entry['name'])},\n"
                        f"     {c_text(catalog[stream]['prefix'] + entry['type'])}, {entry.get('id', -1)}, "
                        f"{attributes}}},")
        # catalog.c searches with memcmp and then by length, which is how Python sorts ASCII texts.
        keys += sorted(stream_keys)
    starts.append(len(keys))
    out += ["", "const struct catalog_type catalog_types[] = {", *rows, "};",
            "const size_t catalog_type_count = sizeof catalog_types / sizeof catalog_types[0];", "",
            "const struct catalog_id catalog_ids[] = {",
            *(f"    {{{number}, {index}}}," for number, index in sorted(ids)), "};",
            "const size_t catalog_id_count = sizeof catalog_ids / sizeof catalog_ids[0];", "",
            "const struct catalog_key catalog_keys[] = {",
            *(f"    {{{{{c_text(key)}, {len(key)}}}, {index}}}," for key, index in keys), "};",
            f"const size_t catalog_key_start[STREAM_COUNT + 1] = {{{', '.join(map(str, starts))}}};", ""]
    return "\n".join(out)


def render_topics(catalog):
    """Every topic without its prefix, one a line."""
    topics = []
    for stream in STREAMS:
        topics += [f"{stream}.{topic_of(entry)}" for entry in catalog[stream]["types"]]
        topics += [f"{stream}.{topic}" for topic in OWN_TOPICS[stream]]
    return "\n".join(topics + ["deadletter", ""])


def table(head, rows):
    return ["| " + " | ".join(head) + " |", "|" + "---|" * len(head),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def render_markdown(catalog):
    count = {stream: len(catalog[stream]["types"]) for stream in STREAMS}
    out = ["# The catalog of event types", "",
           "Generated from `catalog.json` by `generate.py --markdown`; do not edit.", "",
           "Each type has a topic of its own, `{prefix}.{stream}.{type}`; the prefix is `marketo` unless it is",
           "configured. What is not listed here goes to `{prefix}.{stream}.other`, custom activities (ids from",
           f"{CUSTOM_ID_FIRST} up) to `{{prefix}}.activity.custom`. Names are compared in lower case with everything but",
           "`a-z` and `0-9` removed, so `VisitWebPage` and `Visit Webpage` are one. In the column \"type string\",",
           "*printed* means that a published document shows it; the others follow Adobe's rule for the name and are",
           "not seen in print. The source tags are explained at the end.", ""]
    for stream in STREAMS:
        section = catalog[stream]
        out += [f"## {TITLES[stream]} ({count[stream]})", "",
                f"Type strings begin with `{section['prefix']}`.", ""]
        rows = []
        for entry in section["types"]:
            row = [f"`{stream}.{topic_of(entry)}`", entry["name"]]
            if stream == "activity":
                row.append(str(entry.get("id", "")))
            row.append(f"`{entry['type']}`" + (" printed" if entry["printed"] else ""))
            row.append(", ".join(entry.get("aliases", [])))
            if stream == "activity":
                row.append(", ".join(entry.get("attributes", [])))
            if stream == "audit":
                row.append(", ".join(entry.get("actions", [])))
            row += [", ".join(entry["source"]), entry.get("remark", "")]
            rows.append(row)
        head = ["topic", "name"] + (["id"] if stream == "activity" else []) + ["type string", "also known as"]
        head += {"activity": ["attributes"], "audit": ["actions (`eventAction`)"]}.get(stream, [])
        out += table(head + ["source", "remark"], rows)
    out += ["## Sources", ""]
    out += table(["tag", "document"], [list(item) for item in catalog["sources"].items()])
    return "\n".join(out)


def main(arguments):
    parser = argparse.ArgumentParser(description="Checks the catalog of event types and writes what is made from it.")
    parser.add_argument("--catalog", default=HERE / "catalog.json", help="the data file")
    parser.add_argument("--c", metavar="FILE", help="write the C table")
    parser.add_argument("--topics", metavar="FILE", help="write the list of topics")
    parser.add_argument("--markdown", metavar="FILE", help="write catalog.md")
    parser.add_argument("--check", metavar="FILE", help="fail when FILE is not what --markdown would write")
    options = parser.parse_args(arguments)
    try:
        catalog = load(options.catalog)
        validate(catalog)
    except CatalogError as error:
        for fault in str(error).splitlines():
            print(f"{options.catalog}: {fault}", file=sys.stderr)
        return 1
    for path, render in ((options.c, render_c), (options.topics, render_topics),
                         (options.markdown, render_markdown)):
        if path is not None:
            pathlib.Path(path).write_text(render(catalog), encoding="utf-8")
    if options.check is not None:
        try:
            current = pathlib.Path(options.check).read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            print(error, file=sys.stderr)
            return 1
        if current != render_markdown(catalog):
            print(f"{options.check} is not what catalog.json says; run generate.py --markdown {options.check}",
                  file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
