# SPDX-License-Identifier: Apache-2.0
"""The unit, by systemd's own tools; a running systemd is not needed."""

import re
import subprocess

import pytest
from harness.bridge import ROOT, binary, run_command

UNIT = ROOT / "deploy" / "systemd" / "marketo-bridge.service"
INSTALLED = "/usr/local/bin/marketo-bridge"
CREDENTIALS = "/run/credentials/marketo-bridge.service"


def analyze(*arguments):
    return subprocess.run(
        ["systemd-analyze", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=60,
    )


def setting(name):
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(), re.MULTILINE)


def test_verify(tmp_path):
    """With the program where it was built: verify looks for it."""
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace(INSTALLED, str(binary())))
    done = analyze("verify", unit)
    assert done.returncode == 0 and done.stdout == "", done.stdout


def test_security_score_is_the_one_stated():
    done = analyze("security", "--offline=true", UNIT)
    (score,) = re.findall(r"exposure level for marketo-bridge.service: ([\d.]+)", done.stdout)
    (version, stated) = re.search(r"of systemd (\d+) scores this unit ([\d.]+)", UNIT.read_text()).groups()
    have = re.match(r"systemd (\d+)", analyze("--version").stdout).group(1)
    if have != version:
        pytest.skip(f"the score stated is systemd {version}'s, here is {have}")
    assert score == stated, done.stdout


def test_commands_are_the_program_s():
    (before,), (start,) = setting("ExecStartPre"), setting("ExecStart")
    assert before.split()[:2] == [INSTALLED, "check"] and start.split()[:2] == [INSTALLED, "serve"]
    assert before.split()[2:] == start.split()[2:] == ["--config", "/etc/marketo-bridge/bridge.yaml"]


def test_there_is_time_to_drain():
    reference = run_command("check", "--reference").stdout
    defaults = [
        int(re.search(rf"`shutdown\.{name}` \|[^|]*\| `(\d+)s`", reference).group(1)) for name in ("delay", "grace")
    ]
    assert int(setting("TimeoutStopSec")[0].removesuffix("s")) > sum(defaults)


def test_credential_is_read_as_the_words_say(tmp_path):
    """The line for bridge.yaml that the unit shows, with the folder that systemd would make."""
    (line,) = re.findall(r"^#\s+(tokens: \[.*\])$", UNIT.read_text(), re.MULTILINE)
    (credential,) = [value.split(":")[0] for value in setting("LoadCredential")]
    assert f"{CREDENTIALS}/{credential}" in line
    (tmp_path / credential).write_text("a-token-of-a-test\n")
    config = tmp_path / "bridge.yaml"
    config.write_text(
        "listen: [ { address: 127.0.0.1:8080 } ]\n"
        "endpoints:\n  - sender: activity-push\n    auth:\n      " + line.replace(CREDENTIALS, str(tmp_path)) + "\n"
        "kafka: { bootstrap.servers: localhost:9092 }\n"
    )
    done = run_command("check", "--config", config)
    assert done.returncode == 0, done.stdout + done.stderr
