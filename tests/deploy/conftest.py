# SPDX-License-Identifier: Apache-2.0
"""The harness of the black-box tests serves here too."""

import os
import pathlib
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
sys.path.insert(0, str(pathlib.Path(__file__).parents[1] / "e2e"))
pytest.register_assert_rewrite("harness")

from harness.bridge import binary  # noqa: E402


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not os.access(binary(), os.X_OK):
        pytest.exit(f"no program at {binary()}; build it, or say where by BRIDGE_BINARY", 2)
