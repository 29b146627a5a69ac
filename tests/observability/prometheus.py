# SPDX-License-Identifier: Apache-2.0
"""A real Prometheus on a copy of our configuration, made quick enough to watch."""

import json
import re
import subprocess
import urllib.error
import urllib.parse
import urllib.request

import files
import yaml
from harness.ports import release_port, take_port
from harness.waits import eventually

# What a rule looks back on, so that a fault fades within seconds as well.
WINDOWS = {"5m": "10s", "15m": "10s", "1h": "15s"}


def quick_config(target):
    """Scrapes and evaluates every second; everything else is as it is shipped."""
    config = files.load(files.CONFIG)
    config["global"] = {"scrape_interval": "1s", "evaluation_interval": "1s"}
    (job,) = config["scrape_configs"]
    job["static_configs"] = [{"targets": [target]}]
    del job["dns_sd_configs"]
    return config


def quick_rules():
    """`for` of two seconds where there is one, and short windows; thresholds and expressions stay."""
    rules = files.load(files.RULES)
    for group in rules["groups"]:
        for rule in group["rules"]:
            rule["expr"] = re.sub(
                r"\[(\w+)\]", lambda match: f"[{WINDOWS.get(match.group(1), match.group(1))}]", rule["expr"]
            )
            if "for" in rule:
                rule["for"] = "2s"
    return rules


class Prometheus:
    def __init__(self, folder, target):
        self.port = take_port()
        self._folder = folder
        (folder / "prometheus.yml").write_text(yaml.safe_dump(quick_config(target)))
        (folder / "alerts.yml").write_text(yaml.safe_dump(quick_rules()))
        self._process = None

    def start(self):
        with open(self._folder / "prometheus.log", "wb") as log:
            self._process = subprocess.Popen(
                [
                    "prometheus", f"--config.file={self._folder}/prometheus.yml",
                    f"--storage.tsdb.path={self._folder}/data", f"--web.listen-address=127.0.0.1:{self.port}",
                    "--log.level=warn",
                ],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log,
            )
        eventually(lambda: self.query("vector(1)"), 30, "Prometheus answers")
        return self

    def close(self):
        if self._process is not None:
            self._process.terminate()
            self._process.wait(30)
        release_port(self.port)

    def _get(self, path, **parameters):
        url = f"http://127.0.0.1:{self.port}/api/v1/{path}?{urllib.parse.urlencode(parameters)}"
        try:
            with urllib.request.urlopen(url, timeout=20) as answer:
                found = json.load(answer)
        except urllib.error.HTTPError as error:
            raise AssertionError(f"{parameters}: {error.read().decode()}") from None
        assert found["status"] == "success", found
        assert not found.get("warnings"), found
        return found["data"]

    def query(self, expression):
        return self._get("query", query=expression)["result"]

    def query_range(self, expression, start, end):
        return self._get("query_range", query=expression, start=start, end=end, step="1s")["result"]

    def targets(self):
        return self._get("targets")["activeTargets"]

    def firing(self):
        """(alert, the label that tells it from its likes) of what fires now -> its annotations."""
        found = {}
        for alert in self._get("alerts")["alerts"]:
            if alert["state"] != "firing":
                continue
            labels = alert["labels"]
            place = labels.get("endpoint") or labels.get("reason") or labels.get("instance")
            found[labels["alertname"], place] = alert["annotations"]
        return found
