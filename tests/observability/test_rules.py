# SPDX-License-Identifier: Apache-2.0
"""promtool's judgement of the rules, and that none of them goes without a test or words."""

import subprocess

import files
import pytest


def promtool(*arguments):
    done = subprocess.run(
        ["promtool", *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=200
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_config_and_rules_are_valid():
    assert f"{len(files.rules())} rules found" in promtool("check", "config", files.CONFIG)


def test_unit_tests_pass():
    assert "SUCCESS" in promtool("test", "rules", files.RULES_TEST)


def checks():
    """(index of the test, expression, expected samples)"""
    for number, test in enumerate(files.load(files.RULES_TEST)["tests"]):
        for check in test["promql_expr_test"]:
            yield number, check["expr"], check["exp_samples"]


@pytest.mark.parametrize("name", files.alerts())
def test_alert_is_shown_firing_and_silent(name):
    firing = {
        number for number, _, samples in checks()
        if any(f'alertname="{name}"' in s["labels"] and 'alertstate="firing"' in s["labels"] for s in samples)
    }
    silent = {number for number, expr, samples in checks() if expr.startswith("ALERTS") and samples == []}
    assert firing, "no unit test in which it fires"
    assert firing & silent or (0 in silent), "no unit test in which it is silent"


@pytest.mark.parametrize("name", files.records())
def test_record_is_tested(name):
    assert any(name in expr and samples for _, expr, samples in checks())


@pytest.mark.parametrize("name", files.alerts())
def test_alert_tells_what_to_do(name):
    rule = files.alerts()[name]
    assert rule["labels"]["severity"] in ("critical", "warning")
    assert rule["annotations"]["summary"]
    assert len(rule["annotations"]["description"].split()) > 15
