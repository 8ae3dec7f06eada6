"""server: a test server with default limits, and a whole shop (or what STOA_TEST_URL names), each in
turn. serve(): a test server with limits of the test's own. SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import sys
import urllib.parse

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import wire  # noqa: E402

HERE = pathlib.Path(__file__).parent


def pytest_configure(config):
    config.addinivalue_line("markers", "short: also in ./dev test --quick")


def pytest_collection_modifyitems(items):
    """Nothing here depends on the database or the port: one run of the suite is enough."""
    if os.environ.get("STOA_TEST_SQL", "sqlite") == "sqlite" and \
            os.environ.get("STOA_TEST_PORT", "local") == "local":
        return
    for item in items:
        if HERE in pathlib.Path(item.fspath).parents:
            item.add_marker(pytest.mark.skip(reason="the same as with SQLite and the local port"))


@pytest.fixture(scope="session", params=["alone", "shop"])
def server(request, tmp_path_factory):
    url = os.environ.get("STOA_TEST_URL")
    if request.param == "shop" and url:
        parts = urllib.parse.urlsplit(url)
        yield wire.Server((parts.hostname, parts.port))
    elif request.param == "shop":
        if not (wire.BUILD / "stoa").exists():
            pytest.skip("no shop was built")
        yield wire.Server(("127.0.0.1", request.getfixturevalue("shop").port))
    else:
        server = wire.Server.start(tmp_path_factory.mktemp("http") / "log")
        yield server
        assert server.process.poll() is None, "".join(server.errors)
        server.stop()


@pytest.fixture(scope="session")
def certificate():
    """What serve() gives its servers; a module that has one of its own speaks TLS with them."""


@pytest.fixture
def serve(tmp_path, certificate):
    started = []

    def start(**options):
        started.append(wire.Server.start(tmp_path / f"log{len(started)}", **{"certificate": certificate, **options}))
        return started[-1]

    yield start
    for server in started:
        died = server.process.poll() not in (None, 0)
        server.stop()
        assert not died, "".join(server.errors)
