# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the black-box tests: one broker a session, bridges with topics of their own."""

import itertools
import os
import re
import sys

import pytest

sys.path.insert(0, os.path.dirname(__file__))
pytest.register_assert_rewrite("harness")

from harness import http  # noqa: E402
from harness.answers_changed import AnswersChanged  # noqa: E402
from harness.bridge import Bridge, binary  # noqa: E402
from harness.broker import Broker  # noqa: E402
from harness.certificates import Authority  # noqa: E402
from harness.host import Host  # noqa: E402
from harness.provider import Provider  # noqa: E402
from harness.records import Reader  # noqa: E402

_numbers = itertools.count()


def pytest_sessionstart(session):
    if not session.config.option.collectonly and not os.access(binary(), os.X_OK):
        pytest.exit(f"no program at {binary()}; build it, or say where by BRIDGE_BINARY", 2)


@pytest.fixture(scope="session")
def broker():
    found = Broker().start()
    yield found
    found.close()


@pytest.fixture(scope="session")
def reader(broker):
    return Reader(broker)


@pytest.fixture
def own_broker():
    """A broker that the test may stop and kill; made when it is called."""
    made = []

    def make(start=True, **properties):
        one = Broker(properties={name.replace("_", "."): str(value) for name, value in properties.items()})
        made.append(one)
        return one.start() if start else one

    yield make
    for one in made:
        one.close()


@pytest.fixture
def way():
    """A way to Kafka on which answers can be changed."""
    made = AnswersChanged()
    yield made
    made.close()


@pytest.fixture
def broker_behind(way, own_broker):
    """The broker that is reached on it."""
    broker = own_broker(start=False, advertised_listeners=f"PLAINTEXT://127.0.0.1:{way.port}")
    way.target = broker.port
    return broker.start()


@pytest.fixture(scope="session")
def provider():
    """An identity provider for tests that leave it as it is."""
    found = Provider().start()
    yield found
    found.close()


@pytest.fixture
def own_provider():
    found = Provider().start()
    yield found
    found.close()


@pytest.fixture
def make_host():
    """make_host() runs a web server; a certificate makes it speak TLS."""
    made = []

    def make(certificate=None):
        made.append(Host(certificate))
        return made[-1].start()

    yield make
    for one in made:
        one.close()


@pytest.fixture
def host(make_host):
    return make_host()


@pytest.fixture(scope="module")
def shared_host():
    found = Host().start()
    yield found
    found.close()


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path)


def unique_prefix(name):
    return re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:60] + f".{os.getpid()}-{next(_numbers)}"


@pytest.fixture
def prefix(request):
    """The topics' prefix of this test."""
    return unique_prefix(request.node.name)


@pytest.fixture
def start_bridge(request, prefix, tmp_path_factory):
    """start_bridge(settings) runs a bridge on the session's broker; it is drained and looked at in the end."""
    yield from bridges_of(request, prefix, tmp_path_factory)


@pytest.fixture(scope="module")
def shared_bridge(request, tmp_path_factory):
    """One bridge for all tests of a module that only ask and read."""
    makers = bridges_of(request, unique_prefix(request.node.name), tmp_path_factory)
    yield next(makers)()
    next(makers, None)


@pytest.fixture(scope="module")
def start_shared_bridge(request, tmp_path_factory):
    """The same with settings of the module's own."""
    yield from bridges_of(request, unique_prefix(request.node.name), tmp_path_factory)


def bridges_of(request, prefix, folders):
    made = []

    def make(settings=None, broker=None, bootstrap=None, wait=True, prefix=prefix, **options):
        if bootstrap is None:
            broker = broker or request.getfixturevalue("broker")
            bootstrap = broker.bootstrap
        bridge = Bridge(folders.mktemp("bridge"), bootstrap, prefix, settings, **options)
        made.append(bridge)
        return bridge.start(wait)

    yield make
    try:
        for bridge in made:
            bridge.stop()
    finally:
        for bridge in made:
            bridge.release()
        if "reader" in request.fixturenames:
            request.getfixturevalue("reader").forget(prefix)


@pytest.fixture(params=http.BOTH, ids=["http1", "http2"])
def http_version(request):
    return request.param
