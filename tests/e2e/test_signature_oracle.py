# SPDX-License-Identifier: Apache-2.0
"""The bridge and Adobe's own verifier (aio-lib-events) judge the same bodies and agree."""

import base64
import json
import random
import string
from concurrent.futures import ThreadPoolExecutor

import pytest

from harness import events, oracle
from harness.bridge import ADOBE, MARKER
from harness.signatures import Signer, headers

OURS = "0123456789abcdef0123456789abcdef"
CASES = 400


@pytest.fixture(scope="module")
def signers(shared_host):
    return [Signer().publish(shared_host) for _ in range(3)]


@pytest.fixture(scope="module")
def bridge(start_shared_bridge, shared_host):
    auth = {"signature": True, "key_base": shared_host.base, "recipients": [OURS]}
    return start_shared_bridge({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}]})


def _text(choose, size):
    letters = string.ascii_letters + " åäö€漢字😀\u200b\u2028\\\"/\t\n<>&'%+="
    return "".join(choose.choice(letters) for _ in range(size))


def _value(choose, depth=0):
    kind = choose.randrange(8 if depth < 4 else 5)
    if kind == 0:
        return choose.choice([None, True, False])
    if kind == 1:
        return choose.randrange(-10**12, 10**12)
    if kind == 2:
        return choose.random() * 10 ** choose.randrange(-8, 12)
    if kind in (3, 4):
        return _text(choose, choose.randrange(40))
    if kind == 5:
        return [_value(choose, depth + 1) for _ in range(choose.randrange(4))]
    return {f"{_text(choose, 5)}{n}": _value(choose, depth + 1) for n in range(choose.randrange(4))}


def _event(choose):
    data = json.dumps({"marker": MARKER, "more": _value(choose)}, ensure_ascii=choose.random() < 0.5)
    # The library reads the older name at the top only.
    return events.cloud_event(data, members=f',"recipient_client_id":"{OURS}"')


def _body(choose):
    if choose.random() < 0.5:
        text = _event(choose)
    else:
        text = "[" + choose.choice([",", " ,\n\t"]).join(_event(choose) for _ in range(choose.choice([1, 2, 5, 20]))) + "]"
    return (choose.choice(["", "", " ", "\r\n"]) + text + choose.choice(["", "", "\n"])).encode()


def _altered(choose, body):
    """Still JSON that names its recipient, so that only the signature decides."""
    at = body.index(MARKER.encode())
    kind = choose.randrange(4)
    if kind == 0:
        return body + b" "
    if kind == 1:
        return b"\n" + body
    if kind == 2:
        return body[:at] + bytes([body[at] ^ 1]) + body[at + 1:]
    return body.replace(b'"specversion":"1.0"', b'"specversion" :"1.0"', 1)


def _case(choose, signers):
    """(body as it is sent, the two signatures, the two paths)."""
    body = _body(choose)
    pair = choose.sample(signers, 2)
    found, paths = [one.sign(body) for one in pair], [one.path for one in pair]
    kind = choose.randrange(10)
    if kind == 4:
        found[choose.randrange(2)] = choose.choice(found)
    elif kind == 5:
        paths.reverse()
    elif kind == 6:
        number = choose.randrange(2)
        raw = bytearray(base64.b64decode(found[number]))
        raw[choose.randrange(1, 256)] ^= 1 << choose.randrange(8)
        found[number] = base64.b64encode(raw).decode()
    elif kind == 7:
        found[choose.randrange(2)] = base64.b64encode(bytes(choose.randrange(256) for _ in range(32))).decode()
    elif kind >= 8:
        body = _altered(choose, body)
    return body, found, paths


def test_same_verdicts(bridge, signers):
    choose = random.Random(20261105)
    cases = [_case(choose, signers) for _ in range(CASES)]
    expected = oracle.judge([(body, OURS, *pair) for body, *pair in cases], {one.path: one.pem() for one in signers})
    good = sum(expected)
    assert CASES / 5 < CASES - good < CASES / 2, good

    # Proven first, so that no key is to be asked for as a stranger's.
    for one in signers:
        body = events.addressed(1, OURS)[0]
        assert bridge.post(ADOBE, body, headers([one.sign(body)], [one.path]), token=None).status == 200

    def judge(case):
        body, found, paths = case
        # A look at the key again is due before a refusal, and is shared: side by side they take one.
        while True:
            status = bridge.post(ADOBE, body, headers(found, paths), token=None, timeout=40).status
            if status != 503:
                return status

    with ThreadPoolExecutor(48) as pool:
        statuses = list(pool.map(judge, cases))
    wrong = [
        (number, status, verdict) for number, (status, verdict) in enumerate(zip(statuses, expected))
        if status != (200 if verdict else 401)
    ]
    assert not wrong, [(cases[number], status, verdict) for number, status, verdict in wrong[:2]]
