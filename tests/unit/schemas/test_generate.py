# SPDX-License-Identifier: Apache-2.0
"""Tests of schemas/generate.py: what it makes of the catalog, and what it
refuses. Run by pytest or by python3 -m unittest."""

import copy
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

SCHEMAS = pathlib.Path(__file__).resolve().parents[3] / "schemas"


def generate(*arguments):
    return subprocess.run([sys.executable, SCHEMAS / "generate.py", *arguments], capture_output=True, text=True,
                          check=False)


class Shipped(unittest.TestCase):
    """The catalog as it is in the tree."""

    def test_the_document_is_up_to_date(self):
        done = generate("--check", SCHEMAS / "catalog.md")
        self.assertEqual((done.returncode, done.stderr), (0, ""))

    def test_a_stale_document_is_noticed(self):
        with tempfile.TemporaryDirectory() as folder:
            stale = pathlib.Path(folder) / "catalog.md"
            stale.write_text((SCHEMAS / "catalog.md").read_text(encoding="utf-8") + "x", encoding="utf-8")
            self.assertEqual(generate("--check", stale).returncode, 1)
            self.assertEqual(generate("--check", pathlib.Path(folder) / "none.md").returncode, 1)

    def test_topics(self):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "topics.txt"
            self.assertEqual(generate("--topics", path).returncode, 0)
            topics = path.read_text(encoding="utf-8").splitlines()
        self.assertEqual(len(set(topics)), len(topics))
        for topic in ("activity.openemail", "activity.custom", "activity.other", "audit.landingpage",
                      "notification.campaign-abort", "observability.other", "deadletter"):
            self.assertIn(topic, topics)

    def test_samples_are_what_their_names_say(self):
        samples = sorted((SCHEMAS / "samples").rglob("*.json"))
        self.assertEqual(len(samples), 16)
        for sample in samples:
            try:
                json.loads(sample.read_bytes())
                valid = True
            except ValueError:
                valid = False
            self.assertEqual(valid, not sample.name.endswith(".invalid.json"), sample.name)


class Refused(unittest.TestCase):
    """Catalogs with one fault each."""

    def setUp(self):
        self.catalog = json.loads((SCHEMAS / "catalog.json").read_text(encoding="utf-8"))

    def refuse(self, words, text=None):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "catalog.json"
            path.write_text(json.dumps(self.catalog) if text is None else text, encoding="utf-8")
            output = pathlib.Path(folder) / "table.c"
            done = generate("--catalog", path, "--c", output)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
            self.assertFalse(output.exists())

    def add(self, stream="activity", **members):
        entry = {"name": "Brand New", "type": "brandnew", "printed": False, "source": ["DS"]}
        entry.update(members)
        self.catalog[stream]["types"].append({k: v for k, v in entry.items() if v is not None})

    def test_one_more_type_is_accepted(self):
        self.add(id=499)
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "catalog.json"
            path.write_text(json.dumps(self.catalog), encoding="utf-8")
            output = pathlib.Path(folder) / "table.c"
            self.assertEqual(generate("--catalog", path, "--c", output).returncode, 0)
            self.assertIn('"com.adobe.platform.marketo.activity.standard.brandnew", 499', output.read_text("utf-8"))

    def test_duplicate_type(self):
        self.catalog["audit"]["types"].append(copy.deepcopy(self.catalog["audit"]["types"][0]))
        self.refuse('means "Default Program" already')

    def test_duplicate_after_normalising(self):
        self.add(name="Open E-mail", type="openemail")
        self.refuse('means "Open Email" already')

    def test_duplicate_topic_that_differs_in_the_underscore(self):
        self.add("notification", name="Other Words", type="campaignabort")
        self.refuse('"campaignabort" means "Campaign Abort" already')

    def test_duplicate_id(self):
        self.add(id=10)
        self.refuse('id 10 is that of "Open Email" already')

    def test_alias_of_another_type(self):
        self.add(aliases=["visit web-page"])
        self.refuse('"visit web-page" means "Visit Webpage" already')

    def test_alias_that_says_nothing_new(self):
        self.add(aliases=["BrandNew"])
        self.refuse("says nothing new")

    def test_ids_out_of_range(self):
        for number in (0, -1, 100000, 1.5, "10", True):
            self.add(id=number)
            self.refuse("id is not a number from 1 to 99999")
            self.catalog["activity"]["types"].pop()

    def test_type_against_the_rule(self):
        self.add(type="brand_new")
        self.refuse("not its name by Adobe's rule, brandnew")

    def test_reserved_topics(self):
        for name in ("Other", "Custom"):
            self.add(name=name, type=name.lower())
            self.refuse(f"the topic {name.lower()} is reserved")
            self.catalog["activity"]["types"].pop()

    def test_members(self):
        for words, members in (("unknown member colour", {"colour": "red"}), ("needs printed", {"printed": None}),
                               ("needs name", {"name": None}), ("needs type", {"type": ""}),
                               ("needs source", {"source": []}), ("unknown source XYZ", {"source": ["XYZ"]}),
                               ("unknown member actions", {"actions": ["create"]}),
                               ("aliases is not a list", {"aliases": "x"}), ("needs name", {"name": "Bränd"}),
                               ("attributes names something twice", {"attributes": ["A", "A"]})):
            self.add(**members)
            self.refuse(words)
            self.catalog["activity"]["types"].pop()

    def test_every_fault_is_reported(self):
        self.add(id=10, printed=None)
        self.add("audit", name="Email", type="email")
        self.refuse("needs printed")
        self.refuse('"email" means "Email" already')

    def test_streams(self):
        del self.catalog["observability"]
        self.refuse("needs exactly the members")

    def test_not_json(self):
        self.refuse("Expecting", text="{")
        self.refuse("more than once", text='{"sources": {}, "sources": {}}')


if __name__ == "__main__":
    unittest.main()
