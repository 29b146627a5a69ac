# SPDX-License-Identifier: Apache-2.0
"""The dashboard as Grafana reads it, and that all files agree on names and places."""

import files


def test_panels_do_not_overlap():
    taken = {}
    for panel in files.load(files.DASHBOARD)["panels"]:
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        for x in range(place["x"], place["x"] + place["w"]):
            for y in range(place["y"], place["y"] + place["h"]):
                assert (x, y) not in taken, f"{panel['title']} lies on {taken.get((x, y))}"
                taken[x, y] = panel["title"]


def test_panels_are_complete():
    every = files.load(files.DASHBOARD)["panels"]
    assert len({panel["id"] for panel in every}) == len(every)
    for panel in files.panels():
        assert panel["description"] and panel["targets"], panel["title"]
        letters = [target["refId"] for target in panel["targets"]]
        assert len(set(letters)) == len(letters)
        assert all(one["datasource"]["uid"] == "${datasource}" for one in [panel, *panel["targets"]])


def test_variables_are_declared():
    text = files.DASHBOARD.read_text()
    declared = {variable["name"] for variable in files.load(files.DASHBOARD)["templating"]["list"]}
    assert declared == {"datasource", "instance"}
    for _, _, expression in files.queries():
        assert "$" not in expression, expression
    assert text.count("$instance") > 0


def test_provisioning_agrees_with_compose():
    compose = files.load(files.COMPOSE)["services"]
    (provider,) = files.load(files.PROVISIONING / "dashboards" / "marketo-bridge.yml")["providers"]
    mounts = [volume.split(":")[:2] for volume in compose["grafana"]["volumes"]]
    assert ["./deploy/observability/grafana/dashboards", provider["options"]["path"]] in mounts
    assert ["./deploy/observability/grafana/provisioning", "/etc/grafana/provisioning"] in mounts
    (source,) = files.load(files.PROVISIONING / "datasources" / "prometheus.yml")["datasources"]
    assert source["url"] == "http://prometheus:9090" and "prometheus" in compose


def test_targets_are_services_of_compose():
    services = files.load(files.COMPOSE)["services"]
    (job,) = files.load(files.CONFIG)["scrape_configs"]
    hosts = {target.split(":")[0] for config in job["static_configs"] for target in config["targets"]}
    hosts.update(name for config in job["dns_sd_configs"] for name in config["names"])
    assert hosts == {"bridge", "bridge-2"} and hosts <= set(services)
