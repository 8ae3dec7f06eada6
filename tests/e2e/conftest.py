"""Fixtures: `shop` is one seeded shop for a whole run, `make_shop` gives fresh ones.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support.client import Client  # noqa: E402
from support.shop import Shop, database_kind, is_spread  # noqa: E402
from support.swaps import Plugins, unmaps  # noqa: E402

# With every plugin on a node of its own: what is about one process is left to the other stages.
ONE_PROCESS = {
    "test_30_operator.py": "what one process says to its operator",
    "test_80_apply.py": "an apply of one process; test_88_nodes.py moves plugins between nodes",
    "test_81_worlds.py": "the worlds of one process",
    "test_82_trust.py": "which files one process loads",
    "test_83_controls.py": "breaks one process on purpose",
    "test_84_bad_applies.py": "an apply of one process",
    "test_90_strict.py": "an apply of one process",
    "test_85_live.py": "what one process changes while it runs",
    "test_87_supervisor.py": "one process and its supervisor",
    "test_89_sandbox.py": "the sandboxes of one process",
    "test_86_watch.py": "one process that applies by itself",
    "test_92_certificates.py": "the listeners of one process",
    "test_93_databases.py": "the databases of one process",
    "test_88_nodes.py": "makes nodes of its own, in the other stages with PostgreSQL",
    "test_no_visitor_can_fill_the_cache_with_cursors": "the cache of one process",
    "test_a_slow_delivery_is_not_made_by_a_second_node_as_well": "two whole shops on one file",
}

# What does not change with the database or with the way to the plugins is left to one stage.
ONLY_SQLITE_LOCAL = {"test_81_worlds.py", "test_82_trust.py", "test_83_controls.py", "test_84_bad_applies.py",
                     "test_86_watch.py", "test_87_supervisor.py", "test_89_sandbox.py", "test_90_strict.py",
                     "test_91_swaps.py", "test_92_certificates.py"}
NOT_LOOPBACK = {"test_80_apply.py", "test_85_live.py", "test_93_databases.py"}
NOT_SANITIZED = {"test_83_controls.py", "test_90_strict.py", "test_91_swaps.py"}


def pytest_configure(config):
    config.addinivalue_line("markers", "short: also in ./dev test --quick")
    config.addinivalue_line("markers", "in_process: looks at plugins in the server's own process")


def is_had_elsewhere(name: str) -> bool:
    port = os.environ.get("STOA_TEST_PORT", "local")
    if name in NOT_LOOPBACK:
        return port == "loopback"
    return name in ONLY_SQLITE_LOCAL and (port != "local" or database_kind() != "sqlite")


def reason_to_skip(item) -> str | None:
    if os.environ.get("STOA_TEST_PORT") == "sandbox" and item.get_closest_marker("in_process"):
        return "no plugin is in the server's process"
    if not is_spread() and is_had_elsewhere(pathlib.Path(item.fspath).name):
        return "about the process itself: the stage with SQLite, local, has it"
    if not unmaps() and pathlib.Path(item.fspath).name in NOT_SANITIZED:
        return "a host with sanitizers unloads nothing"
    apart = ONE_PROCESS.get(pathlib.Path(item.fspath).name) or ONE_PROCESS.get(item.name)
    return f"several nodes: {apart}" if is_spread() and apart else None


def pytest_collection_modifyitems(items):
    for item in items:
        reason = reason_to_skip(item)
        if reason:
            item.add_marker(pytest.mark.skip(reason=reason))


def pytest_terminal_summary(terminalreporter):
    """Why something was left out, in every run."""
    skipped = terminalreporter.stats.get("skipped", [])
    for reason in sorted({report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}):
        terminalreporter.write_line(reason)


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


@pytest.fixture
def plugins(tmp_path):
    """A folder of plugins of the test's own."""
    return Plugins(tmp_path / "plugins")


@pytest.fixture
def make_swappable(make_shop, plugins):
    """A shop that loads from that folder, with the plugin that is swapped."""
    def make(**options):
        options.setdefault("more", f'plugin_path = "{plugins.folder}",')
        options.setdefault("limits", "connections_per_address = 1000")
        options.setdefault("plugins", "swap = {}")
        return make_shop(**options)

    return make
