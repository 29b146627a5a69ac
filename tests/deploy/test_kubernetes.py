# SPDX-License-Identifier: Apache-2.0
"""The manifests: valid by Kubernetes' schemas, at one with each other and with bridge.yaml."""

import os
import pathlib
import re
import shutil
import subprocess

import pytest
import yaml
from harness.bridge import ROOT, run_command

FOLDER = ROOT / "deploy" / "kubernetes"
SECRETS = "/run/secrets/marketo-bridge"
NOT_RESOURCES = {"kustomization.yaml", "bridge.yaml", "secret.yaml"}


def load(name):
    return yaml.safe_load((FOLDER / name).read_text())


KUSTOMIZATION = load("kustomization.yaml")
BRIDGE = load("bridge.yaml")
DEPLOYMENT = load("deployment.yaml")
POD = DEPLOYMENT["spec"]["template"]
(CONTAINER,) = POD["spec"]["containers"]
PORTS = {port["name"]: port["containerPort"] for port in CONTAINER["ports"]}


def seconds(text):
    return int(text.removesuffix("s"))


@pytest.mark.parametrize("version", ["1.29", "1.37"])
@pytest.mark.parametrize("name", sorted({path.name for path in FOLDER.glob("*.yaml")} - NOT_RESOURCES | {"secret.yaml"}))
def test_valid_by_schema(name, version):
    done = subprocess.run(
        [os.environ["KUBERNETES_VALIDATE"], "--strict", "-k", version, FOLDER / name],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )
    assert done.returncode == 0 and "passed" in done.stdout, done.stdout


def test_kustomization_lists_every_manifest():
    assert set(KUSTOMIZATION["resources"]) == {path.name for path in FOLDER.glob("*.yaml")} - NOT_RESOURCES


def test_kustomize_builds():
    kustomize = shutil.which("kustomize")
    if kustomize is None:
        pytest.skip("no kustomize in PATH")
    built = subprocess.run([kustomize, "build", FOLDER], check=True, stdout=subprocess.PIPE, text=True, timeout=60)
    resources = {one["kind"]: one for one in yaml.safe_load_all(built.stdout)}
    assert set(resources) == {"ConfigMap", "Deployment", "Service", "PodDisruptionBudget", "NetworkPolicy"}
    assert resources["ConfigMap"]["data"]["bridge.yaml"] == (FOLDER / "bridge.yaml").read_text()
    pod = resources["Deployment"]["spec"]["template"]["spec"]
    (used,) = [volume["configMap"]["name"] for volume in pod["volumes"] if "configMap" in volume]
    assert used == resources["ConfigMap"]["metadata"]["name"] != "marketo-bridge"
    # A selector that kustomize has widened would shut out the name service.
    for rule in resources["NetworkPolicy"]["spec"]["egress"]:
        for peer in rule.get("to", []):
            assert peer["podSelector"]["matchLabels"] == {"k8s-app": "kube-dns"}


def test_selectors_find_the_pods():
    labels = POD["metadata"]["labels"]
    assert labels
    for selector in (
        DEPLOYMENT["spec"]["selector"]["matchLabels"],
        load("service.yaml")["spec"]["selector"],
        load("poddisruptionbudget.yaml")["spec"]["selector"]["matchLabels"],
        load("networkpolicy.yaml")["spec"]["podSelector"]["matchLabels"],
        POD["spec"]["topologySpreadConstraints"][0]["labelSelector"]["matchLabels"],
    ):
        assert selector == labels


def test_names_and_ports_agree():
    volumes = {volume["name"]: volume for volume in POD["spec"]["volumes"]}
    assert volumes["config"]["configMap"]["name"] == KUSTOMIZATION["configMapGenerator"][0]["name"]
    assert volumes["secret"]["secret"]["secretName"] == load("secret.yaml")["metadata"]["name"]
    assert {mount["name"] for mount in CONTAINER["volumeMounts"]} == set(volumes)
    assert KUSTOMIZATION["images"][0]["name"] == CONTAINER["image"]
    assert BRIDGE["listen"][0]["address"] == f"0.0.0.0:{PORTS['http']}"
    assert BRIDGE["admin"]["address"] == f"0.0.0.0:{PORTS['admin']}"
    assert POD["metadata"]["annotations"]["prometheus.io/port"] == str(PORTS["admin"])
    assert load("service.yaml")["spec"]["ports"][0]["targetPort"] == "http"
    named = [port["port"] for rule in load("networkpolicy.yaml")["spec"]["ingress"] for port in rule["ports"]]
    assert named == ["http", "admin"] == list(PORTS)


def test_probes_ask_what_they_should():
    asked = {name: CONTAINER[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert asked["liveness"]["path"] == "/health/live"
    assert asked["startup"]["path"] == asked["readiness"]["path"] == "/health/ready"
    assert {one["port"] for one in asked.values()} == {"admin"}


def test_pod_is_given_time_to_drain():
    ending = seconds(BRIDGE["shutdown"]["delay"]) + seconds(BRIDGE["shutdown"]["grace"])
    assert POD["spec"]["terminationGracePeriodSeconds"] > ending
    probe = CONTAINER["readinessProbe"]
    assert probe["periodSeconds"] * probe["failureThreshold"] < seconds(BRIDGE["shutdown"]["delay"])


def test_pod_has_no_rights():
    pod, container = POD["spec"]["securityContext"], CONTAINER["securityContext"]
    assert pod["runAsNonRoot"] is True and pod["runAsUser"] == 65532
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["capabilities"] == {"drop": ["ALL"]}
    assert container["readOnlyRootFilesystem"] is True and container["allowPrivilegeEscalation"] is False
    assert POD["spec"]["automountServiceAccountToken"] is False


def check(folder, token):
    """What the program says of bridge.yaml with this token in the Secret."""
    text = (FOLDER / "bridge.yaml").read_text()
    keys = re.findall(rf"^[^#\n]*\${{file:{SECRETS}/([\w-]+)}}", text, re.MULTILINE)
    assert keys == list(load("secret.yaml")["stringData"])
    (folder / "activity-token").write_text(token)
    config = pathlib.Path(folder / "bridge.yaml")
    config.write_text(text.replace(SECRETS, str(folder)))
    return run_command("check", "--config", config)


def test_program_accepts_the_configuration(tmp_path):
    done = check(tmp_path, "a-token-of-a-test")
    assert done.returncode == 0, done.stdout + done.stderr


def test_program_refuses_the_placeholder(tmp_path):
    done = check(tmp_path, load("secret.yaml")["stringData"]["activity-token"])
    assert done.returncode == 1
    assert "tokens" in done.stdout + done.stderr
