# SPDX-License-Identifier: Apache-2.0
"""Adobe's own verifier (tests/node/oracle.mjs)."""

import base64
import json
import pathlib
import subprocess
import tempfile

from harness.provider import node_tools

_ORACLE = pathlib.Path(__file__).parents[2] / "node" / "oracle.mjs"


def judge(cases, keys):
    """Its verdicts on (body, recipient, signatures, paths); keys: path -> PEM."""
    lines = "".join(
        json.dumps({
            "body": base64.b64encode(body).decode(), "recipient": recipient, "signatures": signatures, "paths": paths,
        }) + "\n"
        for body, recipient, signatures, paths in cases
    )
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump({path: pem.decode() for path, pem in keys.items()}, file)
        file.flush()
        done = subprocess.run(
            ["node", _ORACLE, node_tools(), file.name], input=lines, text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, timeout=120,
        )
    assert done.returncode == 0, done.stderr
    # Its own log goes to standard output as well, in some versions.
    verdicts = [line == "true" for line in done.stdout.splitlines() if line in ("true", "false")]
    assert len(verdicts) == len(cases), done.stdout[-2000:] + done.stderr[-2000:]
    return verdicts
