# SPDX-License-Identifier: Apache-2.0
"""Client certificates: shown to the listener, wanted by an endpoint; names, chains, revocation."""

import ssl
import subprocess

import pytest

from harness import certificates, events, http
from harness.answers import assert_unauthorized, assert_unavailable, refusals
from harness.bridge import ACTIVITY, ADOBE, TOKEN
from harness.certificates import Authority
from harness.http import CLIENTS, HTTP1
from harness.ports import release_port, take_port

NAME, URI = "webhooks.adobe.example", "spiffe://adobe.example/events"
WANTED = {"client_names": [NAME, URI]}


class Listener:
    """A bridge whose first listener asks for certificates; the second speaks clear text."""

    def __init__(self, start_bridge, folder, server, authorities, crl=None):
        self.port, self.plain = take_port(), take_port()
        self.server = server
        ca = folder / "client-ca.pem"
        ca.write_bytes(b"".join(one.file.read_bytes() for one in authorities))
        tls = {"certificate": str(server[0]), "key": str(server[1]), "client_ca": str(ca)}
        if crl is not None:
            (folder / "client.crl").write_text(crl)
            tls["client_crl"] = str(folder / "client.crl")
        self.bridge = start_bridge({
            "listen": [{"address": f"127.0.0.1:{self.port}", "tls": tls}, {"address": f"127.0.0.1:{self.plain}"}],
            "endpoints": [
                {"path": ADOBE, "sender": "adobe-io", "auth": WANTED},
                {"path": ACTIVITY, "sender": "activity-push", "auth": {"tokens": [TOKEN]}},
            ],
        })

    def context(self, shown=None, version=HTTP1, tls=None):
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        context.set_alpn_protocols(["h2"] if version != HTTP1 else ["http/1.1"])
        if shown:
            context.load_cert_chain(*shown)
        if tls:
            context.minimum_version = context.maximum_version = tls
        return context

    def post(self, path, shown=None, version=HTTP1, tls=None, headers=(), body=b"[]"):
        return http.request(self.port, "POST", path, headers, body, version, self.context(shown, version, tls))

    def close(self):
        release_port(self.port)
        release_port(self.plain)


@pytest.fixture
def start_listener(start_bridge, tmp_path):
    made = []

    def start(server, authorities, crl=None):
        made.append(Listener(start_bridge, tmp_path, server, authorities, crl))
        return made[-1]

    yield start
    for one in made:
        one.close()


@pytest.fixture(scope="module")
def authority_of_module(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def listener(start_shared_bridge, tmp_path_factory, authority_of_module):
    found = Listener(
        start_shared_bridge, tmp_path_factory.mktemp("listener"), authority_of_module.server(), [authority_of_module])
    yield found
    found.close()


# --- names

GOOD = {
    "DNS": {"dns": [NAME]},
    "DNS in other case": {"dns": ["Webhooks.ADOBE.example"]},
    "URI": {"uris": [URI]},
    "one of several": {"dns": ["a.example", NAME, "b.example"]},
    "URI beside a DNS": {"dns": ["a.example"], "uris": [URI]},
    "common name alone": {"name": NAME},
    "name and common name": {"dns": [NAME], "name": "something else"},
    "no extended usage": {"dns": [NAME], "usage": None},
}


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
@pytest.mark.parametrize("name", GOOD)
def test_good_certificate(listener, authority_of_module, http_version, tls, name):
    shown = authority_of_module.issue(**GOOD[name])
    answer = listener.post(ADOBE, shown, http_version, tls)
    assert answer.status == 200, answer.body


def test_batch_lands_in_kafka(listener, authority_of_module, reader, http_version):
    before = reader.ends(listener.bridge.prefix)
    body, ids = events.activities(3)
    assert listener.post(ADOBE, authority_of_module.issue(dns=[NAME]), http_version, body=body).status == 200
    records = reader.read_count(listener.bridge.prefix, 3, before)
    assert [record.header("ce_id") for record in records] == ids


WRONG_NAMES = {
    "another": {"dns": ["other.adobe.example"]},
    "wildcard": {"dns": ["*.adobe.example"]},
    "name below": {"dns": ["x." + NAME]},
    "name above": {"dns": ["adobe.example"]},
    "URI in other case": {"uris": ["spiffe://adobe.example/Events"]},
    "longer URI": {"uris": [URI + "/x"]},
    "URI as DNS": {"dns": ["spiffe.adobe.example"]},
    "common name beside others": {"dns": ["other.example"], "name": NAME},
    "common name beside a URI": {"uris": ["spiffe://other"], "name": NAME},
    "none at all": {},
    "other common name": {"name": "adobe.example"},
}


@pytest.mark.parametrize("name", WRONG_NAMES)
def test_other_names(listener, authority_of_module, http_version, name):
    with refusals(listener.bridge, ADOBE, "wrong_name"):
        answer = listener.post(ADOBE, authority_of_module.issue(**WRONG_NAMES[name]), http_version)
    assert_unauthorized(answer, challenge=False)


# --- chains

def _of_others(tmp_path):
    return Authority(tmp_path).issue(dns=[NAME])


BAD = {
    "expired": (lambda ca, folder: ca.issue(dns=[NAME], begins=-5, ends=-1), ["certificate_expired"]),
    "not yet valid": (lambda ca, folder: ca.issue(dns=[NAME], begins=1, ends=5), ["bad_certificate", "certificate_expired"]),
    "of another authority": (lambda ca, folder: _of_others(folder), ["bad_certificate"]),
    "self-signed": (lambda ca, folder: certificates.make(folder), ["bad_certificate"]),
    "a server's": (lambda ca, folder: ca.issue(dns=[NAME], usage=certificates.SERVER), ["bad_certificate"]),
    "of a leaf": (lambda ca, folder: _below_a_leaf(ca, folder), ["bad_certificate"]),
}


def _below_a_leaf(ca, folder):
    """An end entity is no authority, whatever it signs."""
    leaf = ca.issue(dns=["leaf.example"])
    request, key, forged = folder / "r.csr", folder / "r.key", folder / "r.pem"
    run = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["openssl", "req", "-new", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                    "-subj", f"/CN={NAME}", "-keyout", key, "-out", request], **run)
    subprocess.run(["openssl", "x509", "-req", "-in", request, "-CA", leaf[0], "-CAkey", leaf[1], "-days", "2",
                    "-set_serial", "7", "-out", forged], **run)
    forged.write_bytes(forged.read_bytes() + leaf[0].read_bytes())
    return forged, key


@pytest.mark.parametrize("name", BAD)
def test_bad_certificate(listener, authority_of_module, tmp_path, http_version, name):
    """401 where one is wanted; the handshake and other endpoints of the listener go on."""
    make, reasons = BAD[name]
    shown = make(authority_of_module, tmp_path)
    with refusals(listener.bridge, ADOBE, *reasons):
        answer = listener.post(ADOBE, shown, http_version)
    assert_unauthorized(answer, challenge=False)
    assert listener.post(ACTIVITY, shown, http_version, headers=[("authorization", TOKEN)]).status == 200


def test_no_certificate(listener, http_version):
    with refusals(listener.bridge, ADOBE, "no_certificate"):
        assert_unauthorized(listener.post(ADOBE, None, http_version), challenge=False)
    assert listener.post(ACTIVITY, None, http_version, headers=[("authorization", TOKEN)]).status == 200
    with refusals(listener.bridge, ACTIVITY, "no_credentials"):
        assert_unauthorized(listener.post(ACTIVITY, None, http_version), challenge=True)


def test_clear_text_has_no_certificate(listener, http_version):
    with refusals(listener.bridge, ADOBE, "no_certificate"):
        answer = http.request(listener.plain, "POST", ADOBE, [], b"[]", http_version)
    assert_unauthorized(answer, challenge=False)


def test_probes_need_no_certificate(listener, http_version):
    context = listener.context(None, http_version)
    for method in ("GET", "HEAD"):
        assert http.request(listener.port, method, ADOBE, http=http_version, tls=context).status == 200


@pytest.mark.parametrize("sends", [True, False], ids=["with it", "without it"])
def test_intermediate_authority(listener, authority_of_module, tmp_path, http_version, sends):
    leaf, key = authority_of_module.below().issue(dns=[NAME])
    if sends:
        assert listener.post(ADOBE, (leaf, key), http_version).status == 200
        return
    alone = tmp_path / "alone.pem"
    alone.write_text(leaf.read_text().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n")
    with refusals(listener.bridge, ADOBE, "bad_certificate"):
        assert listener.post(ADOBE, (alone, key), http_version).status == 401


def test_one_connection_for_several_endpoints(listener, authority_of_module, http_version):
    """The verdict belongs to the connection, and is asked where it is wanted."""
    good, bad = authority_of_module.issue(dns=[NAME]), authority_of_module.issue(dns=["other.example"])
    for shown, status in ((good, 200), (bad, 401)):
        with CLIENTS[http_version](listener.port, listener.context(shown, http_version)) as client:
            for _ in range(3):
                assert client.request("POST", ADOBE, [], b"[]").status == status
                assert client.request("POST", ACTIVITY, [("authorization", TOKEN)], b"[]").status == 200


def test_connections_do_not_mix(listener, authority_of_module, http_version):
    """Many at once, with and without: each is judged by its own."""
    shown = [authority_of_module.issue(dns=[NAME]), authority_of_module.issue(dns=["other.example"]), None]
    clients = [CLIENTS[http_version](listener.port, listener.context(shown[n % 3], http_version)) for n in range(30)]
    try:
        for _ in range(2):
            statuses = [client.request("POST", ADOBE, [], b"[]").status for client in clients]
            assert statuses == [200, 401, 401] * 10
    finally:
        for client in clients:
            client.close()


@pytest.mark.parametrize("tls", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_resumed_session_still_shows_who_it_is(listener, authority_of_module, tls):
    """A session that is taken up again has its certificate with it, or is made anew; never anybody else's."""
    for shown, status in ((authority_of_module.issue(dns=[NAME]), 200),
                          (authority_of_module.issue(dns=["other.example"]), 401), (None, 401)):
        context = listener.context(shown, HTTP1, tls)
        session = None
        for _ in range(3):
            with http.connect(listener.port) as raw, context.wrap_socket(raw, session=session) as sock:
                sock.sendall(http.head("POST", ADOBE, [], 2) + b"[]")
                assert sock.recv(65536).split(b" ")[1] == str(status).encode()
                session = sock.session


def test_curl_shows_one(listener, authority_of_module):
    shown = authority_of_module.issue(uris=[URI])
    for options, status in ((["--cert", shown[0], "--key", shown[1]], "200"), ([], "401")):
        for version in ("--http1.1", "--http2"):
            done = subprocess.run(
                ["curl", "-s", version, "--cacert", authority_of_module.file, *options, "--data-binary", "[]", "-o",
                 "/dev/null", "-w", "%{http_code}", f"https://localhost:{listener.port}{ADOBE}"],
                stdout=subprocess.PIPE, text=True, check=True, timeout=30,
            )
            assert done.stdout == status


def test_several_authorities(start_listener, tmp_path, authority):
    (tmp_path / "b").mkdir()
    second = Authority(tmp_path / "b", "Second Authority")
    found = start_listener(authority.server(), [authority, second])
    for one in (authority, second):
        assert found.post(ADOBE, one.issue(dns=[NAME])).status == 200


# --- revocation

def test_revoked(start_listener, authority, http_version):
    good, bad = authority.issue(dns=[NAME]), authority.issue(dns=[NAME])
    found = start_listener(authority.server(), [authority], authority.revocations(bad))
    assert found.post(ADOBE, good, http_version).status == 200
    with refusals(found.bridge, ADOBE, "certificate_revoked"):
        assert_unauthorized(found.post(ADOBE, bad, http_version), challenge=False)


def test_list_that_is_out_of_date(start_listener, authority, http_version):
    """Whether it was revoked cannot be told: come again."""
    shown = authority.issue(dns=[NAME])
    found = start_listener(authority.server(), [authority], authority.revocations(updated=-9, next_update=-1))
    with refusals(found.bridge, ADOBE, "crl_unusable"):
        assert_unavailable(found.post(ADOBE, shown, http_version))
    assert found.post(ACTIVITY, shown, http_version, headers=[("authorization", TOKEN)]).status == 200


def test_list_of_one_of_two_authorities(start_listener, tmp_path, authority):
    (tmp_path / "b").mkdir()
    second = Authority(tmp_path / "b", "Second Authority")
    found = start_listener(authority.server(), [authority, second], authority.revocations())
    assert found.post(ADOBE, authority.issue(dns=[NAME])).status == 200
    with refusals(found.bridge, ADOBE, "crl_unusable"):
        assert_unavailable(found.post(ADOBE, second.issue(dns=[NAME])))


def test_revoked_below_an_intermediate_authority(start_listener, authority):
    middle = authority.below()
    good, bad = middle.issue(dns=[NAME]), middle.issue(dns=[NAME])
    found = start_listener(authority.server(), [authority, middle], middle.revocations(bad) + authority.revocations())
    assert found.post(ADOBE, good).status == 200
    with refusals(found.bridge, ADOBE, "certificate_revoked"):
        assert found.post(ADOBE, bad).status == 401


# --- files that cannot be used

@pytest.mark.parametrize("broken", ["no file", "no certificate", "empty", "list of another", "garbage list"])
def test_files_that_cannot_be_used_are_exit_2(start_bridge, tmp_path, authority, broken):
    server, port = authority.server(), take_port()
    ca, crl = tmp_path / "ca.pem", tmp_path / "ca.crl"
    ca.write_bytes(authority.file.read_bytes())
    crl.write_text(authority.revocations())
    if broken == "no file":
        ca.unlink()
    elif broken == "no certificate":
        ca.write_text("nothing")
    elif broken == "empty":
        ca.write_text("")
    elif broken == "list of another":
        (tmp_path / "b").mkdir()
        crl.write_text(Authority(tmp_path / "b", "Another").revocations())
    else:
        crl.write_text("-----BEGIN X509 CRL-----\nAAAA\n-----END X509 CRL-----\n")
    tls = {"certificate": str(server[0]), "key": str(server[1]), "client_ca": str(ca), "client_crl": str(crl)}
    bridge = start_bridge({
        "listen": [{"address": f"127.0.0.1:{port}", "tls": tls}],
        "endpoints": [{"path": ADOBE, "sender": "adobe-io", "auth": WANTED}],
    }, wait=False)
    bridge.allow_errors = True
    assert bridge.wait(20) == 2
    assert (crl if "list" in broken else ca).name in bridge.log_text()
    release_port(port)
