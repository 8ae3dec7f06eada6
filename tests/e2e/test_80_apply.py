"""A running shop gets another world: under load, as one transaction, or not at all.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import pathlib
import signal
import statistics
import threading
import time

import pytest
from support.client import Client, buy
from support.control import apply, ask, edit, serving, wait_until
from support.shop import database_kind
from support.swaps import KERNEL, Load, Reader, check_large, process_state, unmaps, wait_back, wait_quiet

# As many as leave something behind that can be seen; where each is slow (a sandbox for each plugin, sanitizers)
# a fifth goes the same ways.
IS_PLAIN = database_kind() == "sqlite" and os.environ.get("STOA_TEST_PORT", "local") == "local" and unmaps()
SWAPS = 300 if IS_PLAIN and not os.environ.get("STOA_TEST_SHORT") else 60


def greeting(shop) -> str:
    return Client(shop).get("/swap/greeting").text


def median_steps(answers: list[dict]) -> dict:
    steps = {name: statistics.median(a["steps_us"][name] for a in answers) / 1000
             for name in answers[0]["steps_us"]}
    return {**steps, "total": statistics.median(a["total_us"] for a in answers) / 1000}


def all_load(shop) -> Load:
    load = Load(shop)
    return (load.add(load.keep_alive, 2).add(load.pipelining).add(load.waiting)
            .add(load.slow_reader, 2).add(load.leaving))


@pytest.mark.parametrize("debug", ["", pytest.param("fence", marks=pytest.mark.in_process)])
def test_swaps_under_load_fail_no_request(make_swappable, plugins, record_property, debug):
    """With fences, what was unloaded can never be touched again without a crash."""
    if debug and not unmaps():
        pytest.skip("a host with sanitizers unloads nothing")
    shop = make_swappable().start(env={"STOA_DEBUG": debug})
    swaps = SWAPS // 3 if debug else SWAPS
    for n in range(4):
        plugins.swap(2 - n % 2)
        apply(shop)
    wait_quiet(shop)
    before = process_state(shop)
    load = all_load(shop).start()
    answers = []
    while (len(answers) < swaps or load.replies <= swaps or len(load.versions) < 2) and not load.failures:
        plugins.swap(2 - len(answers) % 2)
        answers.append(apply(shop))
    load.stop()
    assert load.failures == []
    assert load.versions == {"1", "2"} and load.replies > swaps
    status = wait_quiet(shop)
    if unmaps():
        wait_back(shop, before)
        assert status["generations"]["kept"] == 0
    record_property("median_ms", json.dumps(median_steps(answers)))
    print(f"\n{len(answers)} swaps, {load.replies} replies, median ms: {median_steps(answers)}")
    assert shop.stop() == 0


@pytest.mark.in_process
@pytest.mark.skipif(os.environ.get("STOA_TEST_PORT") == "loopback", reason="bodies are copies there")
def test_letting_go_too_early_would_be_noticed(make_swappable, plugins):
    """The control: with the pin ended when the handler returns, the same clients must complain."""
    shop = make_swappable().start(env={"STOA_FAULT": "http.unpin_early=error:INTERNAL",
                                       "ASAN_OPTIONS": "detect_leaks=0"})  # its report is expected
    readers = [Reader(shop.port, small_window=True) for _ in range(4)]
    for reader in readers:
        reader.send(*["/swap/large"] * KERNEL)
    for reader in readers:
        reader.wait_reply()
    noticed = 0
    try:
        for n in range(3):
            plugins.swap(2 - n % 2)
            apply(shop)
        wait_until(lambda: len(ask(shop, "status")["worlds"]) == 1, "a world is held all the same")
        for reader in readers:
            for _ in range(KERNEL):
                check_large(*reader.reply())
    except (AssertionError, OSError, ValueError):  # the last: the worker died of it instead of answering
        noticed += 1
    assert noticed


def test_a_slow_reader_keeps_its_world_and_gets_all_of_it(make_swappable, plugins):
    shop = make_swappable(limits='stall_time = "60s"').start()
    reader = Reader(shop.port, small_window=True)
    reader.send(*["/swap/large"] * KERNEL)
    reader.wait_reply()
    plugins.swap(2)
    apply(shop)
    worlds = ask(shop, "status")["worlds"]
    assert [w["state"] for w in worlds] == ["in force", "draining"]
    assert worlds[1]["pins"] >= 1  # the reader's, and that of a job that is on its way
    fresh = Reader(shop.port)
    fresh.send("/swap/large")
    assert check_large(*fresh.reply()) == "2"
    fresh.close()
    reader.hurry()
    versions = [check_large(*reader.reply()) for _ in range(KERNEL)]
    assert versions[0] == "1" and versions[-1] == "2" and versions == sorted(versions)
    reader.close()
    wait_quiet(shop)


# ---- What cannot be applied changes nothing ----

def broken_abi(plugins) -> bytes:
    data = bytearray(plugins.version(2).read_bytes())
    at = data.index(b"Stoa\0\0\0\0") + 8
    data[at:at + 2] = b"\x09\x00"
    return bytes(data)


@pytest.mark.parametrize("what,step,said", [
    ("truncated", "build", "swap.so"), ("abi", "build", "ABI"), ("missing", "build", "swap.so"),
    ("fifo", "build", "no regular file"),
    ("lua", "config", "config.lua"), ("unknown key", "build", "greetin"), ("warm", "warm", "swap"),
    ("resources", "check", "resources"), ("pool", "check", "limits.pool_queue"), ("disk", "record", "revision")])
def test_a_failed_apply_changes_nothing(make_swappable, plugins, what, step, said):
    shop = make_swappable().start()
    before = ask(shop, "status")
    if what == "truncated":
        whole = plugins.version(2).read_bytes()
        plugins.put("swap", whole[:len(whole) // 2])
    elif what == "abi":
        plugins.put("swap", broken_abi(plugins))
    elif what in ("missing", "fifo"):
        (plugins.folder / "swap.so").unlink()
        if what == "fifo":
            os.mkfifo(plugins.folder / "swap.so")
    elif what == "lua":
        edit(shop, "swap = {}", "swap = {")
    elif what == "unknown key":
        edit(shop, "swap = {}", 'swap = { greetin = "x" }')
    elif what == "warm":
        edit(shop, "swap = {}", "swap = { fail_warm = true }")
    elif what == "resources":
        edit(shop, 'max = "16MiB" }', 'max = "16MiB" }, blobs = stoa.files { folder = "elsewhere" }')
    elif what == "pool":
        edit(shop, "connections_per_address = 1000", "pool_queue = 99")
    elif what == "disk":
        plugins.swap(2)
        folder = shop.data / "revisions"
        folder.rename(shop.data / "away")
    answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == step, answer
    assert said in answer["text"], answer["text"]
    after = ask(shop, "status")
    for key in ("config_hash", "world", "plugins", "revision"):
        assert after[key] == before[key], key
    assert after["generations"]["alive"] == before["generations"]["alive"]
    assert after["generations"]["kept"] == 0 or not unmaps()
    assert len(after["worlds"]) == 1 and after["applies"]["failed"] == 1
    assert greeting(shop) == "hello"
    assert buy(shop, Client(shop).get("/api/v1/products").json["items"][0]["sku"]).status == 201
    assert shop.stop() == 0


@pytest.mark.parametrize("step", ["config", "check", "build", "warm", "listen", "record"])
def test_a_step_that_fails_changes_nothing(make_swappable, plugins, step):
    shop = make_swappable().start(env={"STOA_FAULT": f"apply.{step}=error:STORE@1!"})
    before = ask(shop, "status")
    plugins.swap(2)
    answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == step, answer
    after = ask(shop, "status")
    for key in ("config_hash", "world", "plugins", "revision", "worlds"):
        assert strip(after[key]) == strip(before[key]), key
    assert apply(shop)["world"] > 1
    wait_quiet(shop)


def strip(value):
    """Without what time alone changes."""
    return [{k: v for k, v in one.items() if k not in ("age_ms", "pins")} for one in value] \
        if isinstance(value, list) else value


@pytest.mark.parametrize("step", ["config", "check", "build", "warm", "listen", "record", "publish"])
def test_a_kill_during_an_apply_leaves_a_shop_that_starts(make_swappable, plugins, step):
    shop = make_swappable().start(env={"STOA_FAULT": f"apply.{step}=kill"})
    sku = Client(shop).get("/api/v1/products").json["items"][0]["sku"]
    assert buy(shop, sku).status == 201
    plugins.swap(2)
    with pytest.raises((ValueError, OSError)):
        ask(shop, "apply")
    shop.wait()
    shop.start()
    assert Client(shop).get("/swap/now/1").text[0] == "2" and buy(shop, sku).status == 201
    assert ask(shop, "status")["revision"] == 2
    assert shop.stop() == 0
    shop.audit()


# ---- plan, apply, rollback, history ----

def test_plan_tells_and_changes_nothing(make_swappable, plugins):
    shop = make_swappable().start()
    assert ask(shop, "plan")["changes"] is False
    plugins.swap(3)
    edit(shop, "swap = {}", 'swap = { greeting = "servus" }')
    plan = ask(shop, "plan")
    assert [(p["name"], p["change"], p["to"]["version"]) for p in plan["plugins"]] == \
        [("swap", "changed", "3.0.0")]
    assert plan["routes"] == {"added": ["GET /swap/extra/{n} (swap)"], "removed": []}
    assert plan["jobs"] == {"added": ["swap.tick"], "removed": []}
    assert {"path": "plugins.swap.greeting", "to": "servus"} in plan["settings"]
    assert plan["placements"] == [] and plan["grants"] == [] and "migrations" not in plan
    assert [(w["world"], w["state"]) for w in plan["drains"]] == [(1, "in force")]
    assert ask(shop, "status")["world"] == 1 and greeting(shop) == "hello"
    shown = shop.cli("plan").stdout
    assert "drain    world 1 (in force)" in shown
    assert "route    + GET /swap/extra/{n} (swap)" in shown and '"servus"' in shown


def test_rollback_brings_back_text_and_bits(make_swappable, plugins):
    shop = make_swappable().start()
    first = ask(shop, "status")
    plugins.swap(2)
    edit(shop, "swap = {}", 'swap = { greeting = "servus" }')
    assert "revision 2 is in force" in shop.cli("apply").stdout
    assert greeting(shop) == "servus"
    shop.cli("rollback", "1")
    back = ask(shop, "status")
    assert greeting(shop) == "hello"
    assert back["config_hash"] == first["config_hash"] and back["revision"] == 3
    assert {p["name"]: p["sha256"] for p in back["plugins"]} == \
        {p["name"]: p["sha256"] for p in first["plugins"]}
    history = ask(shop, "history")["revisions"]
    assert [(r["revision"], r["why"]) for r in history] == \
        [(3, "rollback 1"), (2, "apply"), (1, "start")]
    assert history[0]["who"] == f"uid {os.getuid()}" and history[0]["at"] and history[0]["hash"]
    assert {"path": "plugins.swap.greeting", "to": "servus"} in history[1]["changes"]["settings"]
    shown = shop.cli("history").stdout
    assert "swap 1.0.0 -> 2.0.0" in shown and "plugins.swap.greeting" in shown
    done = shop.cli("rollback", "77", check=False)
    assert done.returncode == 1 and "no revision 77" in done.stderr


def test_a_revision_keeps_what_the_file_said(make_swappable):
    """Not its text alone: what that reads may be another by now."""
    shop = make_swappable()
    read = shop.config.with_name("greeting.txt")
    read.write_text("first")
    edit(shop, "swap = {}", 'swap = { greeting = stoa.file "greeting.txt" }')
    shop.start()
    first = ask(shop, "status")["config_hash"]
    read.write_text("second")
    apply(shop)
    assert greeting(shop) == "second"
    shop.cli("rollback", "1")
    assert greeting(shop) == "first" and ask(shop, "status")["config_hash"] == first
    worker = shop.worker()
    os.kill(worker, signal.SIGKILL)  # the next one starts with the revision, too
    wait_until(lambda: "config_hash" in serving(shop, worker))
    assert greeting(shop) == "first" and ask(shop, "status")["config_hash"] == first
    assert apply(shop)["config_hash"] != first and greeting(shop) == "second"
    kept = shop.data / "revisions/configs" / f"{first}.json"
    kept.write_text("{}")  # damaged: the text is all there is
    shop.cli("rollback", "1")
    shop.wait_log(lambda l: l.get("message") == "a revision says something else than it did")
    assert greeting(shop) == "second"
    assert shop.stop() == 0


def test_the_way_back_is_tried_until_it_succeeds(make_swappable):
    shop = make_swappable().start()
    kept = shop.data / "revisions" / "000001.json"
    aside = kept.with_name(".aside")
    kept.rename(aside)
    shop.cli("apply", "--confirm", "1s")
    shop.wait_log(lambda l: l.get("message") == "nothing was changed" and l.get("who") == "not confirmed")
    assert "confirm_within_ms" in ask(shop, "status")["applies"]
    aside.rename(kept)
    shop.wait_log(lambda l: l.get("message") == "a new world is in force" and l.get("who") == "not confirmed")
    assert "confirm_within_ms" not in ask(shop, "status")["applies"]


def test_an_apply_that_nobody_confirms_goes_back(make_swappable):
    shop = make_swappable().start()
    edit(shop, "swap = {}", 'swap = { greeting = "servus" }')
    shop.cli("apply", "--confirm", "2s")
    shop.wait_log(lambda l: l.get("message") == "a new world is in force"
                  and l.get("who") == "not confirmed")
    assert greeting(shop) == "hello"
    assert ask(shop, "history")["revisions"][0]["why"] == "rollback 1"
    shop.cli("apply", "--confirm", "300s")
    assert greeting(shop) == "servus"
    assert "confirmation" in ask(shop, "apply")["text"]
    assert ask(shop, "status")["applies"]["confirm_within_ms"] > 0
    shop.cli("confirm")
    assert "confirm_within_ms" not in ask(shop, "status")["applies"]
    assert shop.cli("confirm", check=False).returncode == 1
    assert greeting(shop) == "servus"


def test_hup_applies_the_file(make_swappable):
    shop = make_swappable().start()
    edit(shop, "swap = {}", 'swap = { greeting = "moin" }')
    shop.process.send_signal(signal.SIGHUP)
    shop.wait_log(lambda l: l.get("message") == "a new world is in force")
    assert greeting(shop) == "moin"


def test_a_job_comes_and_goes_with_its_world(make_swappable, plugins):
    shop = make_swappable().start()
    plugins.swap(3)
    apply(shop)
    shop.wait_log(lambda l: l.get("message") == "tick 3")
    plugins.swap(1)
    apply(shop)
    wait_quiet(shop)
    Client(shop).get("/swap/greeting")
    shop.wait_log(lambda l: l.get("path") == "/swap/greeting")  # what was said before it has been read, too
    seen = len(shop.lines)
    time.sleep(0.4)  # several times its period
    assert not any(l.get("message") == "tick 3" for l in shop.lines[seen:])


def test_applies_wait_for_each_other(make_swappable):
    shop = make_swappable().start()
    answers = []
    threads = [threading.Thread(target=lambda: answers.append(ask(shop, "apply"))) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(a["world"] for a in answers) == [2, 3, 4, 5, 6, 7]
    wait_quiet(shop)


def test_a_plugin_comes_and_goes(make_swappable):
    shop = make_swappable().start()
    edit(shop, "swap = {}", "")
    apply(shop)
    assert Client(shop).get("/swap/greeting").status == 404
    edit(shop, 'theme = "aurora" },', 'theme = "aurora" }, swap = {}')
    apply(shop)
    assert greeting(shop) == "hello"


def waiting_evaluators(shop) -> list[int]:
    """Children of the worker that wait for a text of config.lua."""
    worker = shop.worker()
    children = [int(pid) for task in pathlib.Path(f"/proc/{worker}/task").iterdir()
                for pid in read(task / "children").split()]
    return [pid for pid in children if b"__config" in read(pathlib.Path(f"/proc/{pid}/cmdline"))]


def read(path: pathlib.Path) -> bytes:
    """Nothing of a process or thread that has ended since it was listed."""
    try:
        return path.read_bytes()
    except OSError:
        return b""


def test_one_evaluator_waits_for_the_next_apply(make_swappable):
    shop = make_swappable().start()
    wait_until(lambda: len(waiting_evaluators(shop)) == 1)
    first, = waiting_evaluators(shop)
    assert ask(shop, "apply")["ok"]  # the same text: nobody is asked
    assert waiting_evaluators(shop) == [first]
    shop.config.write_text(shop.config.read_text().replace("Test Shop", "Best Shop"))
    assert ask(shop, "apply")["ok"]
    wait_until(lambda: len(waiting_evaluators(shop)) == 1 and waiting_evaluators(shop) != [first])
    second, = waiting_evaluators(shop)
    os.kill(second, signal.SIGKILL)  # whoever is short of memory: the apply starts another
    shop.config.write_text(shop.config.read_text().replace("Best Shop", "Last Shop"))
    assert ask(shop, "apply")["ok"]
    wait_until(lambda: len(waiting_evaluators(shop)) == 1)
    third, = waiting_evaluators(shop)
    os.kill(shop.worker(), signal.SIGKILL)
    wait_until(lambda: not pathlib.Path(f"/proc/{third}").exists())
    assert shop.stop() == 0


def test_no_evaluator_waits_in_a_shop_that_drains(make_swappable, plugins):
    shop = make_swappable().start()
    wait_until(lambda: len(waiting_evaluators(shop)) == 1)
    spare, = waiting_evaluators(shop)
    reader = Reader(shop.port)
    reader.send("/swap/long/1")
    wait_until(lambda: ask(shop, "status")["in_flight"] == 1)
    shop.process.send_signal(signal.SIGTERM)
    wait_until(lambda: not pathlib.Path(f"/proc/{spare}").exists())
    assert shop.is_running()  # it waits for the request
    reader.close()
    assert shop.stop() == 0


def test_orders_survive_swaps_of_every_plugin(make_swappable, plugins):
    shop = make_swappable().start()
    sku = Client(shop).get("/api/v1/products").json["items"][0]["sku"]
    answers, orders, problems, ended = [], [], [], threading.Event()

    def swap() -> None:
        try:
            while not ended.is_set():
                plugins.touch_all(len(answers) % 2)
                answers.append(ask(shop, "apply"))
        except Exception as error:  # a thread's failure must reach the test
            problems.append(repr(error))

    def is_enough() -> bool:
        orders.append(buy(shop, sku).status)
        return len(orders) >= 50 and len(answers) > 5 or bool(problems)

    swapping = threading.Thread(target=swap)
    swapping.start()
    try:
        wait_until(is_enough, lambda: f"only {len(orders)} orders and {len(answers)} applies", 120)
    finally:
        ended.set()
        swapping.join()
    assert problems == [] and set(orders) == {201}, (problems, orders)
    assert all(a["ok"] for a in answers) and len(answers) > 5 and len(orders) >= 50
    print(f"\n{len(answers)} applies during {len(orders)} orders, median ms: {median_steps(answers)}")
    wait_quiet(shop)
    assert shop.stop() == 0
    shop.audit()
