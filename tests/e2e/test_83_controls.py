"""Tests of the tests: with a known mistake in the host, the clients of the swap must complain.
Each mistake is a fault point. (Ending the pin too early: test_80_apply.py.)
SPDX-License-Identifier: Apache-2.0"""
import itertools
import time

import pytest
from support.client import Client
from support.control import apply, ask
from support.shop import build_folder
from support.swaps import Load, Reader, check_numbered, wait_in_flight

pytestmark = pytest.mark.in_process
QUIET = {"ASAN_OPTIONS": "detect_leaks=0", "STOA_DEBUG": "fence"}


def version_served(shop) -> str:
    reader = Reader(shop.port)
    reader.send("/swap/now/1")
    version = check_numbered(*reader.reply(), "1")
    reader.close()
    return version


def apply_version(shop, plugins, number: int) -> str:
    plugins.swap(number)
    apply(shop)
    return version_served(shop)


@pytest.mark.parametrize("fault, served", [("", "2"), ("generation.same_path=error:INTERNAL", "1")])
def test_loading_by_the_same_path_serves_old_code(make_swappable, plugins, fault, served):
    shop = make_swappable().start(env={"STOA_FAULT": fault, **QUIET})
    assert version_served(shop) == "1"
    assert apply_version(shop, plugins, 2) == served


@pytest.mark.parametrize("fault", ["", "generation.global=error:INTERNAL"])
def test_global_symbols_mix_generations(make_swappable, plugins, fault):
    plugins.put("swap", build_folder() / "tests/data/swap/shared1.so")
    shop = make_swappable().start(env={"STOA_FAULT": fault, **QUIET})
    assert version_served(shop) == "1"
    plugins.put("swap", build_folder() / "tests/data/swap/shared2.so")
    holding = Reader(shop.port)  # the first generation stays loaded meanwhile
    holding.send("/swap/long/1")
    wait_in_flight(shop, 1)
    apply(shop)
    if fault:
        with pytest.raises(AssertionError, match="mixed|cut|changed"):
            version_served(shop)
    else:
        assert version_served(shop) == "2"
    holding.close()


@pytest.mark.parametrize("fault", ["", "world.fail_open=error:INTERNAL"])
def test_going_on_without_a_plugin_loses_its_routes(make_swappable, plugins, fault):
    shop = make_swappable().start(env={"STOA_FAULT": fault, **QUIET})
    (plugins.folder / "swap.so").unlink()
    answer = ask(shop, "apply")
    status = Client(shop).get("/swap/greeting").status
    if fault:
        assert answer["ok"] and status == 404  # a customer finds nothing where the plugin was
    else:
        assert not answer["ok"] and "swap.so" in answer["text"] and status == 200


@pytest.mark.parametrize("fault", ["", "swap.skip_wait=error:INTERNAL"])
def test_not_waiting_for_the_loops_would_be_noticed(make_swappable, plugins, fault):
    shop = make_swappable().start(env={"STOA_FAULT": fault, **QUIET})
    load = Load(shop)
    load.add(load.keep_alive, 4).add(load.pipelining, 2).start()
    noticed, until = False, time.monotonic() + 120  # with the mistake: as many as it takes
    try:
        for n in itertools.count() if fault else range(20):
            plugins.swap(2 - n % 2)
            ask(shop, "apply")
            if load.failures or not shop.is_running():
                noticed = True
            if noticed or time.monotonic() > until:
                break
    except (OSError, ValueError):
        noticed = True
    load.stop()
    assert noticed == bool(fault), (load.failures, shop.talk()[-2000:])
