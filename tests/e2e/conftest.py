"""Fixtures: `shop` is one seeded shop for a whole run, `make_shop` gives fresh ones.
SPDX-License-Identifier: Apache-2.0"""
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support.client import Client  # noqa: E402
from support.shop import Shop  # noqa: E402


def pytest_configure(config):
    config.addinivalue_line("markers", "short: also in ./dev test --quick")


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    running = Shop(tmp_path_factory.mktemp("shop")).prepare().start()
    yield running
    assert running.is_running(), "the shop died: " + running.talk()
    assert running.stop() == 0


@pytest.fixture
def make_shop(tmp_path_factory):
    made = []

    def make(seed: bool = True, **options) -> Shop:
        one = Shop(tmp_path_factory.mktemp("shop"), **options)
        made.append(one)
        return one.prepare() if seed else one

    yield make
    for one in made:
        one.kill()


@pytest.fixture
def client(shop):
    one = Client(shop)
    yield one
    one.close()
