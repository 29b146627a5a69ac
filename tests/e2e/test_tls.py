# SPDX-License-Identifier: Apache-2.0
"""TLS with ALPN, HTTP/2 switched off, several listeners."""

import ssl

import httpx
import pytest

from harness import certificates, events, http
from harness.bridge import ACTIVITY, TOKEN
from harness.http import Closed, Http1
from harness.ports import release_port, take_port

HEADERS = {"Authorization": f"Bearer {TOKEN}"}


@pytest.fixture
def certificate(tmp_path):
    return certificates.make(tmp_path)


@pytest.fixture
def tls_port():
    port = take_port()
    yield port
    release_port(port)


def _listeners(bridge_port_settings, port, certificate):
    tls = {"certificate": str(certificate[0]), "key": str(certificate[1])}
    return {**bridge_port_settings, "listen": [{"address": f"127.0.0.1:{port}", "tls": tls}]}


@pytest.mark.parametrize("offered, chosen, version", [
    (("h2", "http/1.1"), "h2", "2"), (("http/1.1",), "http/1.1", "1.1"), ((), None, "1.1"), (("h2",), "h2", "2"),
])
def test_alpn_chooses_the_protocol(start_bridge, certificate, tls_port, offered, chosen, version):
    bridge = start_bridge(_listeners({}, tls_port, certificate))
    context = certificates.client(certificate[0], *offered)
    with http.connect(tls_port, context) as sock:
        assert sock.selected_alpn_protocol() == chosen
        assert sock.version() in ("TLSv1.2", "TLSv1.3")
    answer = http.request(tls_port, "POST", ACTIVITY, list(HEADERS.items()), events.activities(3)[0], version, context)
    assert answer.json()["delivered"] == 3
    assert not bridge.ended()


@pytest.mark.parametrize("http2", [True, False])
def test_stock_client_over_tls(start_bridge, certificate, tls_port, reader, http2):
    bridge = start_bridge(_listeners({}, tls_port, certificate))
    with httpx.Client(http2=http2, verify=str(certificate[0]), base_url=f"https://localhost:{tls_port}") as client:
        for _ in range(5):
            answer = client.post(ACTIVITY, content=events.activities(10)[0], headers=HEADERS)
            assert answer.status_code == 200
            assert answer.http_version == ("HTTP/2" if http2 else "HTTP/1.1")
    reader.read_count(bridge.prefix, 50)


def test_stock_client_with_prior_knowledge(shared_bridge):
    with httpx.Client(http1=False, http2=True, base_url=f"http://127.0.0.1:{shared_bridge.port}") as client:
        answer = client.post(ACTIVITY, content=events.activities(10)[0], headers=HEADERS)
    assert answer.http_version == "HTTP/2"
    assert answer.json()["delivered"] == 10


def test_http2_switched_off(start_bridge, certificate, tls_port):
    bridge = start_bridge(_listeners({"http2": False}, tls_port, certificate))
    context = certificates.client(certificate[0], "h2", "http/1.1")
    with http.connect(tls_port, context) as sock:
        assert sock.selected_alpn_protocol() == "http/1.1"
    assert http.request(tls_port, "GET", ACTIVITY, tls=context).status == 200
    assert not bridge.ended()


def test_http2_switched_off_on_cleartext(start_bridge):
    bridge = start_bridge({"http2": False})
    assert bridge.request("GET", ACTIVITY).status == 200
    with pytest.raises((Closed, ConnectionError, Exception)) as raised:
        bridge.request("GET", ACTIVITY, http_version="2", timeout=10)
    assert not isinstance(raised.value, TimeoutError)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
def test_old_tls_is_refused(start_bridge, certificate, tls_port):
    start_bridge(_listeners({}, tls_port, certificate))
    context = certificates.client(certificate[0])
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.TLSv1
    context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        http.connect(tls_port, context).close()


def test_cleartext_on_a_tls_listener_is_closed_and_others_served(start_bridge, certificate, tls_port):
    start_bridge(_listeners({}, tls_port, certificate))
    with Http1(tls_port) as client:
        client.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        client.wait_closed(10)
    assert http.request(tls_port, "GET", ACTIVITY, tls=certificates.client(certificate[0])).status == 200


def test_several_listeners_serve_the_same(start_bridge, certificate, tls_port):
    other = take_port()
    settings = _listeners({}, tls_port, certificate)
    settings["listen"].append({"address": f"127.0.0.1:{other}"})
    start_bridge(settings)
    assert http.request(other, "GET", ACTIVITY).status == 200
    assert http.request(tls_port, "GET", ACTIVITY, tls=certificates.client(certificate[0])).status == 200
    release_port(other)


@pytest.mark.parametrize("broken", ["missing", "no certificate", "key of another"])
def test_certificate_that_cannot_be_used_is_exit_2(start_bridge, certificate, tls_port, tmp_path, broken):
    path, key = certificate
    if broken == "missing":
        path = tmp_path / "none.pem"
    elif broken == "no certificate":
        path.write_text("nothing")
    else:
        (tmp_path / "other").mkdir()
        key = certificates.make(tmp_path / "other")[1]
    bridge = start_bridge(_listeners({}, tls_port, (path, key)), wait=False)
    bridge.allow_errors = True
    assert bridge.wait(20) == 2
    assert path.name in bridge.log_text() or key.name in bridge.log_text()
