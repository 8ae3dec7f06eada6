"""server: whatever STOA_TEST_URL names, or a test server with default limits. serve(): a test server
with limits of the test's own. SPDX-License-Identifier: Apache-2.0"""
import os
import sys
import urllib.parse

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import wire  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "short: also part of ./dev test --quick")


@pytest.fixture(scope="session")
def server(tmp_path_factory):
    url = os.environ.get("STOA_TEST_URL")
    if url:
        parts = urllib.parse.urlsplit(url)
        yield wire.Server((parts.hostname, parts.port))
        return
    server = wire.Server.start(tmp_path_factory.mktemp("http") / "log")
    yield server
    assert server.process.poll() is None, "".join(server.errors)
    server.stop()


@pytest.fixture
def serve(tmp_path):
    started = []

    def start(**options):
        started.append(wire.Server.start(tmp_path / f"log{len(started)}", **options))
        return started[-1]

    yield start
    for server in started:
        died = server.process.poll() not in (None, 0)
        server.stop()
        assert not died, "".join(server.errors)
