"""Swaps under the strict load, in short; ./dev swap does 10,000. SPDX-License-Identifier: Apache-2.0"""
import json
import os
import time

import pytest
from support.shop import database_kind
from support.strict import Strict, complaints
from support.swapping import Swapper, growth, make_shop, resident_kib, swaps_under_load, tail_ratio
from support.swaps import unmaps, wait_quiet

SHORT = bool(os.environ.get("STOA_TEST_SHORT"))
pytestmark = pytest.mark.skipif(
    database_kind() != "sqlite" or os.environ.get("STOA_TEST_PORT") == "nodes",
    reason="no database is in it, and each node swaps alone: SQLite, local and loopback have it")


@pytest.fixture
def swapping(tmp_path):
    shop, plugins = make_shop(tmp_path / "shop")
    shop.start()
    yield shop, plugins
    if shop.is_running():
        shop.kill()


def few(swaps: int) -> int:
    """A host with sanitizers keeps every generation, and is slow."""
    return swaps // 5 if SHORT or not unmaps() else swaps


def check(result: dict) -> None:
    print("\n" + json.dumps(result))
    assert result["complaints"] == {}, result["told"]
    assert len(result["load"]["versions"]) >= 1 and result["load"]["untouched"] > 0
    if unmaps():
        assert growth(result, memory_kib=32 << 10) == {}


def test_swaps_lose_no_reply_and_leave_nothing_behind(swapping):
    shop, plugins = swapping
    result = swaps_under_load(shop, plugins, few(150))
    check(result)
    assert set(result["load"]["versions"]) == {"1", "2"}
    assert shop.stop() == 0


@pytest.mark.skipif(not unmaps(), reason="a host with sanitizers gives no memory back")
def test_applies_without_load_keep_no_memory(swapping):
    """Nothing but applies: a block that each of them forgot shows among so many."""
    shop, plugins = swapping
    swapper = Swapper(shop, plugins, every_ms=0)
    resident = []
    for _ in range(3):
        for _ in range(100):
            swapper.swap()
        wait_quiet(shop)
        resident.append(resident_kib(shop))
    assert resident[2] - resident[0] < 2 << 10, resident
    assert shop.stop() == 0


def test_a_change_of_every_plugin_loses_no_reply(swapping):
    shop, plugins = swapping
    check(swaps_under_load(shop, plugins, few(50), touches=True))
    assert shop.stop() == 0


@pytest.mark.skipif(os.environ.get("STOA_TEST_PORT") in ("loopback", "sandbox"),
                    reason="bodies are copies there")
def test_letting_go_too_early_is_noticed_by_this_load(swapping):
    """The control: with the pin ended when the handler returns, the same load must complain."""
    shop, plugins = swapping
    assert shop.stop() == 0
    shop.start(env={"STOA_FAULT": "http.unpin_early=error:INTERNAL",
                    "ASAN_OPTIONS": "detect_leaks=0"})  # its report is expected
    load = Strict(shop.port, "--seconds", 60, "--connections", 32)
    swapper = Swapper(shop, plugins)
    try:
        while load.process.poll() is None and swapper.done < 60:
            swapper.swap()
            time.sleep(0.05)
    except (AssertionError, OSError, ValueError):
        pass  # the worker died of it
    assert complaints(load.stop())


def test_the_ratio_of_an_untouched_route_is_told(swapping):
    """A figure and no verdict: the machine of a test is not quiet."""
    ratio = tail_ratio(*swapping, rounds=1, seconds=1)
    print(f"\np99 of the untouched route with swaps over without: {ratio['median']:.2f}")
    assert ratio["median"] > 0
