# SPDX-License-Identifier: Apache-2.0
"""`confirm_validation`: the bridge opens Adobe's validation URL by itself, that one and no other."""

import json
import socket
import uuid

import pytest

from harness import certificates
from harness.bridge import ADOBE, SLOW
from harness.proxy import Proxy
from harness.waits import eventually

PATH = "/csm/registrations/validate"


class Adobe:
    """What stands behind csm.adobe.io for the bridge: a proxy that leads there, and a server of a test authority."""

    def __init__(self, make_host, authority):
        self.host = make_host(authority.issue(dns=["csm.adobe.io"], usage=certificates.SERVER))
        self.host.put(PATH, '{"valid":true}')
        self.proxy = Proxy(self.host.port)
        self.environment = {
            "HTTPS_PROXY": self.proxy.url, "HTTP_PROXY": self.proxy.url, "SSL_CERT_FILE": str(authority.file),
        }


@pytest.fixture
def adobe(make_host, authority):
    found = Adobe(make_host, authority)
    yield found
    found.proxy.close()


@pytest.fixture
def start(start_bridge, adobe):
    def make(confirm=True, **more):
        auth = {"signature": True, "recipients": ["us"], "confirm_validation": confirm, **more}
        return start_bridge({"endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": auth}]},
                            environment=adobe.environment)

    return make


def _post(bridge, url, **options):
    return bridge.request("POST", ADOBE, body=json.dumps({"validationUrl": url}).encode(), **options)


def _url(mark=None):
    return f"https://csm.adobe.io{PATH}?id={uuid.uuid4()}&challenge={mark or uuid.uuid4()}"


def test_url_is_opened(adobe, start, http_version):
    bridge = start()
    mark = uuid.uuid4().hex
    answer = _post(bridge, _url(mark), http_version=http_version)
    assert answer.status == 200
    assert answer.json() == {"status": "ok"}
    assert answer.seconds < 1 * SLOW
    asked, = eventually(adobe.host.requests, 5, "it is opened")
    assert asked["method"] == "GET"
    assert mark in asked["path"] and asked["path"].startswith(PATH + "?id=")
    assert asked["headers"]["host"] == "csm.adobe.io"
    assert adobe.proxy.asked == [("CONNECT", "csm.adobe.io:443")]
    eventually(lambda: bridge.metrics().sum("auth_fetches_total", kind="validation", outcome="answered") == 1, 5)


def test_not_unless_it_is_configured(adobe, start):
    bridge = start(confirm=False)
    mark = uuid.uuid4().hex
    assert _post(bridge, _url(mark)).status == 200
    eventually(lambda: bridge.logged(mark, level="warning"), 5, "it is logged for somebody")
    assert adobe.proxy.asked == []


OTHERS = [
    "http://csm.adobe.io/csm/registrations/validate?id=1", "https://csm.adobe.io:8443/csm/registrations/validate?id=1",
    "https://csm.adobe.io.evil.example/csm/registrations/validate?id=1", "https://evil.example/csm/registrations/validate?id=1",
    "https://csm.adobe.io@evil.example/csm/registrations/validate?id=1",
    "https://u:p@csm.adobe.io/csm/registrations/validate?id=1",
    "https://csm.adobe.io/csm/registrations/other?id=1", "https://csm.adobe.io/csm/registrations/validate",
    "https://csm.adobe.io/csm/registrations/validate/../../x?id=1", "https://csm.adobe.io/csm/registrations/validate/x?id=1",
    "https://csm.adobe.io/csm/registrations/validate%3fid=1", "https://csm.adobe.io\\@evil.example/csm/registrations/validate?id=1",
    "//csm.adobe.io/csm/registrations/validate?id=1", "file:///etc/passwd?id=1",
    "https://csm.adobe.io/csm/registrations/validate?id=1 HTTP/1.1\r\nHost: evil.example\r\n\r\nGET /",
    "https://csm.adobe.io/csm/registrations/validate?id=\u0000", "https://csm.adobe.io/csm/registrations/validate?id=ä",
    "https://csm.adobe.io/csm/registrations/validate?id=1#x y", "gopher://csm.adobe.io/csm/registrations/validate?id=1",
]


def test_no_other_is_opened(adobe, start):
    """Needs no credentials, so that anybody can name one."""
    bridge = start()
    for url in OTHERS:
        assert _post(bridge, url).status in (200, 401), url
    # The last one is good: what came before it would have been opened by now.
    mark = uuid.uuid4().hex
    assert _post(bridge, _url(mark)).status == 200
    eventually(lambda: any(mark in one["path"] for one in adobe.host.requests()), 5, "the good one is opened")
    for one in adobe.host.requests():
        assert one["path"].startswith(PATH + "?id="), one
        assert "evil" not in one["path"] and one["headers"]["host"] == "csm.adobe.io"
    assert {target for _, target in adobe.proxy.asked} == {"csm.adobe.io:443"}


def test_a_few_at_a_time(adobe, start):
    """A stranger can name as many good ones as he likes; Adobe is not flooded, and nobody waits."""
    adobe.host.put(PATH, "ok", delay=1)
    bridge = start()
    for _ in range(200):
        answer = _post(bridge, _url())
        assert answer.status == 200
        assert answer.seconds < 1 * SLOW
    assert adobe.host.count() <= 50


def test_redirect_is_not_followed(adobe, start):
    adobe.host.put(PATH, status=302, headers=[("Location", "https://csm.adobe.io/elsewhere")])
    bridge = start()
    assert _post(bridge, _url()).status == 200
    eventually(lambda: bridge.metrics().sum("auth_fetches_total", kind="validation") == 1, 5)
    assert [one["path"].partition("?")[0] for one in adobe.host.requests()] == [PATH]


@pytest.mark.fault
@pytest.mark.parametrize("state", ["silent", "500", "no proxy", "expired"])
def test_adobe_is_away(adobe, start, authority, http_version, state):
    """The request is answered all the same; the URL is in the log for somebody to open."""
    if state == "silent":
        adobe.host.put(PATH, delay=30)
    elif state == "500":
        adobe.host.put(PATH, status=500)
    elif state == "expired":
        adobe.host.use_certificate(
            authority.issue(dns=["csm.adobe.io"], usage=certificates.SERVER, begins=-5, ends=-1))
    else:
        with socket.create_server(("127.0.0.1", 0)) as unused:
            adobe.environment["HTTPS_PROXY"] = f"http://127.0.0.1:{unused.getsockname()[1]}"
    bridge = start()
    mark = uuid.uuid4().hex
    answer = _post(bridge, _url(mark), http_version=http_version)
    assert answer.status == 200
    assert answer.seconds < 1 * SLOW
    eventually(lambda: bridge.logged(mark, level="warning"), 5, "it is logged")
    outcome = "answered" if state == "500" else "failed"
    eventually(lambda: bridge.metrics().sum("auth_fetches_total", kind="validation", outcome=outcome) == 1, 8)
