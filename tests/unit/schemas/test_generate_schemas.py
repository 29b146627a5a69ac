# SPDX-License-Identifier: Apache-2.0
"""Tests of schemas/generate_schemas.py: what stands in the tree is what it makes, and that is of one piece with
the catalog and with the program. Run by pytest or by python3 -m unittest."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[3]
SCHEMAS = ROOT / "schemas"
JSON = SCHEMAS / "json"
STREAMS = ("activity", "audit", "notification", "observability")


def run(script, *arguments):
    return subprocess.run([sys.executable, SCHEMAS / script, *arguments], capture_output=True, text=True, check=False,
                          env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})


def read(path):
    return json.loads(path.read_text(encoding="utf-8"))


def walk(value):
    """Every object in a JSON value."""
    if isinstance(value, dict):
        yield value
    if isinstance(value, (dict, list)):
        for one in value.values() if isinstance(value, dict) else value:
            yield from walk(one)


def topics():
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "topics.txt"
        assert run("generate.py", "--topics", path).returncode == 0
        return path.read_text(encoding="utf-8").splitlines()


class Shipped(unittest.TestCase):
    """What stands in the tree."""

    def test_nothing_is_stale(self):
        done = run("generate_schemas.py", "--check")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_every_topic_has_a_schema_a_channel_and_a_place_in_a_page(self):
        document = read(SCHEMAS / "asyncapi.json")
        found = {str(path.relative_to(JSON)) for path in JSON.rglob("*") if path.is_file()}
        expected = {f"{name}.schema.json" for name in ("envelope", *STREAMS)}
        for topic in topics():
            channel = document["channels"][topic]
            self.assertEqual(channel["address"], "marketo." + topic)
            message, = channel["messages"].values()
            payload = document["components"]["messages"][message["$ref"].rpartition("/")[2]]["payload"]
            stream, _, type_ = topic.partition(".")
            page = (SCHEMAS / "docs" / f"{stream}.md").read_text(encoding="utf-8")
            self.assertIn(f"`marketo.{topic}`", page)
            if topic == "deadletter":
                self.assertEqual(payload["format"], "binary")
                continue
            expected.add(f"{stream}/{type_}.schema.json")
            self.assertEqual(payload["$ref"], f"./json/{stream}/{type_}.schema.json")
            self.assertIn(f"(../json/{stream}/{type_}.schema.json)", page)
        self.assertEqual(found, expected)
        self.assertEqual(set(document["channels"]), {*topics(), *STREAMS, "activity.custom-id"})
        self.assertEqual(len(document["operations"]), len(document["channels"]))

    def test_references_lead_somewhere(self):
        for path in [*JSON.rglob("*.json"), SCHEMAS / "asyncapi.json"]:
            for one in walk(read(path)):
                if "$ref" not in one:
                    continue
                file, _, pointer = one["$ref"].partition("#")
                target = path.parent / file if file else path
                self.assertTrue(target.is_file(), f"{path}: {one['$ref']}")
                at = read(target)
                for step in pointer.split("/")[1:]:
                    at = at[step]

    def test_nothing_but_the_four_is_required_and_nothing_is_closed(self):
        for path in JSON.rglob("*.json"):
            for one in walk(read(path)):
                self.assertNotIn("unevaluatedProperties", one)
                self.assertNotEqual(one.get("additionalProperties"), False)
                if path.name == "envelope.schema.json" and "$schema" in one:
                    self.assertEqual(one["required"], ["specversion", "id", "source", "type"])
                else:
                    self.assertNotIn("required", one)

    def test_attributes_and_actions_are_those_of_the_catalog(self):
        catalog = read(SCHEMAS / "catalog.json")
        for stream, field in (("activity", "attributes"), ("audit", "actions")):
            for entry in catalog[stream]["types"]:
                schema = read(JSON / stream / f"{entry['type']}.schema.json")
                known = [one["enum"] for one in walk(schema) if len(one.get("enum", [])) and set(one["enum"]) ==
                         set(entry.get(field, ["none"]))]
                self.assertEqual(len(known), 1 if entry.get(field) else 0, entry["name"])

    def test_the_envelope_has_the_attributes_that_the_program_writes(self):
        source = (ROOT / "bridge/intake/field.c").read_text(encoding="utf-8")
        names = re.findall(r'= "ce_(\w+)"', source)
        self.assertGreater(len(names), 15)
        self.assertEqual([*names, "data"], list(read(JSON / "envelope.schema.json")["properties"]))

    def test_reasons_of_dead_letters_are_those_of_the_program(self):
        source = (ROOT / "bridge/batch.c").read_text(encoding="utf-8")
        names = re.findall(r'\[DEAD_LETTER_\w+\] = "(\w+)"', source)
        headers = read(SCHEMAS / "asyncapi.json")["components"]["schemas"]["deadLetterHeaders"]
        self.assertEqual(names, ["none", *headers["properties"]["dl_reason"]["enum"]])


class Made(unittest.TestCase):
    """In a folder of the test's own."""

    def setUp(self):
        holder = tempfile.TemporaryDirectory()
        self.addCleanup(holder.cleanup)
        self.folder = pathlib.Path(holder.name) / "out"
        self.catalog = read(SCHEMAS / "catalog.json")

    def generate(self, *arguments):
        path = self.folder.parent / "catalog.json"
        path.write_text(json.dumps(self.catalog), encoding="utf-8")
        return run("generate_schemas.py", "--catalog", path, "--output", self.folder, *arguments)

    def test_a_new_type_is_everywhere_and_a_dropped_one_nowhere(self):
        self.catalog["activity"]["types"].append(
            {"id": 499, "name": "Brand New", "type": "brandnew", "printed": False, "attributes": ["Odd One"],
             "source": ["DS"]})
        self.assertEqual(self.generate().returncode, 0)
        path = self.folder / "json/activity/brandnew.schema.json"
        self.assertIn("Odd One", path.read_text(encoding="utf-8"))
        self.assertIn(499, read(self.folder / "json/activity.schema.json")["$defs"]["catalogId"]["enum"])
        self.assertIn("activity.brandnew", read(self.folder / "asyncapi.json")["channels"])
        self.assertIn("Brand New", (self.folder / "docs/activity.md").read_text(encoding="utf-8"))
        self.catalog["activity"]["types"].pop()
        self.assertEqual(self.generate("--check").returncode, 1)
        self.assertTrue(path.exists())
        self.assertEqual(self.generate().returncode, 0)
        self.assertFalse(path.exists())
        self.assertEqual(self.generate("--check").returncode, 0)

    def test_what_is_stale_missing_or_too_much_is_named(self):
        self.assertEqual(self.generate().returncode, 0)
        self.assertEqual(self.generate("--check").returncode, 0)
        changed, missing, more = (self.folder / name for name in
                                  ("json/audit/email.schema.json", "docs/audit.md", "json/audit/more.schema.json"))
        changed.write_text(changed.read_text(encoding="utf-8") + " ", encoding="utf-8")
        missing.unlink()
        more.write_text("{}", encoding="utf-8")
        done = self.generate("--check")
        self.assertEqual(done.returncode, 1)
        for path in (changed, missing, more):
            self.assertIn(f"{path} is not what the catalog says", done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 3)

    def test_members_of_a_type_that_is_gone_are_refused(self):
        types = self.catalog["observability"]["types"]
        types[:] = [entry for entry in types if entry["type"] != "status"]
        done = self.generate()
        self.assertEqual(done.returncode, 1)
        self.assertIn("no type has the topic observability.status", done.stderr)
        self.assertFalse(self.folder.exists())

    def test_a_faulty_catalog_is_refused(self):
        self.catalog["audit"]["types"].append(self.catalog["audit"]["types"][0])
        self.assertEqual(self.generate().returncode, 1)
        self.assertFalse(self.folder.exists())


if __name__ == "__main__":
    unittest.main()
