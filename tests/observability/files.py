# SPDX-License-Identifier: Apache-2.0
"""The files of deploy/observability, and what they name."""

import json
import pathlib
import re

import yaml

ROOT = pathlib.Path(__file__).parents[2]
FOLDER = ROOT / "deploy" / "observability"
CONFIG = FOLDER / "prometheus.yml"
RULES = FOLDER / "alerts.yml"
RULES_TEST = FOLDER / "alerts_test.yml"
DASHBOARD = FOLDER / "grafana" / "dashboards" / "marketo-bridge.json"
PROVISIONING = FOLDER / "grafana" / "provisioning"
COMPOSE = ROOT / "docker-compose.yml"

def load(path):
    text = path.read_text()
    return json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)


def rules():
    return [rule for group in load(RULES)["groups"] for rule in group["rules"]]


def alerts():
    return {rule["alert"]: rule for rule in rules() if "alert" in rule}


def records():
    return {rule["record"]: rule for rule in rules() if "record" in rule}


def panels():
    return [panel for panel in load(DASHBOARD)["panels"] if panel["type"] != "row"]


def queries():
    """(title, letter, expression) of every panel's every query, with Grafana's variables filled in."""
    found = []
    for panel in panels():
        for target in panel["targets"]:
            expression = target["expr"].replace("$__rate_interval", "5s").replace("$instance", ".*")
            found.append((panel["title"], target["refId"], expression))
    return found


def metrics_named(expression):
    """Metrics of the program that an expression reads; a histogram's parts count as the histogram."""
    names = re.findall(r"(?<![\w:])marketo_bridge_\w+(?![\w:])", expression)
    return {re.sub(r"_(bucket|sum|count)$", "", name) for name in names}
