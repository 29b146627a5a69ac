# SPDX-License-Identifier: Apache-2.0
"""What the bridge's refusals must look like."""

import contextlib
import time

from harness import secrets
from harness.bridge import SLOW
from harness.waits import eventually

# The longest that a credential may be looked up, and a request wait for it (FETCH_TIMEOUT_MS and a margin).
LOOKED_UP = 4 * SLOW


def assert_error(answer, status, error):
    assert answer.status == status, answer.body
    assert answer.header("content-type").split(";")[0] == "application/json"
    body = answer.json()
    assert set(body) == {"error", "message", "request_id"}
    assert body["error"] == error
    assert body["message"]
    assert body["request_id"] == answer.header("x-request-id")
    assert answer.header("retry-after") == ("5" if status in (503, 504) else None)
    assert secrets.found_in(answer.body.decode()) == []


def assert_unauthorized(answer, challenge):
    """challenge: whether the Authorization header could have helped; no token was refused."""
    assert_error(answer, 401, "unauthorized")
    found = answer.header("www-authenticate")
    assert found.startswith("Bearer") and "error" not in found if challenge else found is None


def assert_token_refused(answer):
    assert_error(answer, 401, "unauthorized")
    challenge = answer.header("www-authenticate")
    assert challenge.startswith("Bearer ") and 'error="invalid_token"' in challenge


def assert_unavailable(answer, error="auth_unavailable"):
    assert_error(answer, 503, error)
    assert answer.seconds < LOOKED_UP


@contextlib.contextmanager
def refusals(bridge, path, *names, count=1):
    """What happens in it is refused so often, for one of these reasons and none else: in the metric and in the log.

    The log says it once a second for each reason, so perhaps for another endpoint."""
    before = bridge.metrics()
    yield
    after = bridge.metrics()
    grown = {
        name: reasons(after, path).get(name, 0) - reasons(before, path).get(name, 0) for name in reasons(after, path)
    }
    grown = {name: value for name, value in grown.items() if value}
    assert sum(grown.values()) == count and set(grown) <= set(names), grown
    for name in grown:
        eventually(
            lambda: any(line["reason"] == name and line["path"] for line in bridge.logged("request refused")),
            what=f"{name} is in the log",
        )


def reasons(page, path):
    """Reason -> how often, of one endpoint; those that have been."""
    return {
        labels["reason"]: value for name, labels, value in page.series
        if name == "auth_failures_total" and labels["endpoint"] == path and value > 0
    }


def finally_answered(ask, status, meanwhile=(503,), timeout=45):
    """Asks until the answer has that status; only those of `meanwhile` may come before, within the time for one."""
    end = time.monotonic() + timeout * SLOW
    while True:
        answer = ask()
        if answer.status == status:
            return answer
        assert answer.status in meanwhile, answer.body
        assert answer.seconds < LOOKED_UP, answer.body
        assert time.monotonic() < end, f"{status} never came: {answer.body}"
        time.sleep(0.2)
