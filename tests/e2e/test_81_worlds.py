"""Worlds that are not in force any more: who holds them, and how long they may.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import shutil

import pytest
from support.client import Client
from support.control import apply, ask, edit, metric, wait_until
from support.shop import ROOT
from support.swaps import KERNEL, Reader, check_large, wait_in_flight, wait_pins, wait_quiet


def replace(shop, plugins, version: int) -> dict:
    plugins.swap(version)
    return apply(shop)


def test_why_names_what_holds_an_old_generation(make_swappable, plugins):
    shop = make_swappable().start()
    assert json.loads(shop.cli("plugin", "why", "swap", "--json").stdout)["holds"] == []
    waiting = Reader(shop.port)
    waiting.send("/swap/long/1")
    wait_in_flight(shop, 1)
    replace(shop, plugins, 2)
    answer = json.loads(shop.cli("plugin", "why", "swap", "--json").stdout)
    assert [(g["version"], g["state"]) for g in answer["generations"]] == \
        [("2.0.0", "in force"), ("1.0.0", "draining")]
    hold, = [h for h in answer["holds"] if h["kind"] == "request"]  # a job may be on its way too
    assert hold["kind"] == "request" and hold["route"] == "/swap/long/{n}" and hold["plugin"] == "swap"
    assert len(hold["id"]) == 32 and 0 <= hold["age_ms"] < 60000
    other = json.loads(shop.cli("plugin", "why", "user", "--json").stdout)  # nothing has touched it
    assert [g["state"] for g in other["generations"]] == ["in force", "shared"] and other["holds"] == []
    assert len({g["generation"] for g in other["generations"]}) == 1
    shown = shop.cli("plugin", "why", "swap").stdout
    assert "version 1.0.0" in shown and hold["id"] in shown and "/swap/long/{n}" in shown
    done = shop.cli("plugin", "why", "nobody", check=False)
    assert done.returncode == 1 and "no world has a plugin" in done.stderr
    waiting.close()  # a GET whose client left is cancelled
    wait_quiet(shop)


def test_a_world_is_let_go_in_time(make_swappable, plugins):
    shop = make_swappable(limits='retire = "1s"').start()
    waiting, reading = Reader(shop.port), Reader(shop.port, small_window=True)
    waiting.send("/swap/long/1")
    reading.send(*["/swap/large"] * KERNEL)
    wait_pins(shop, 2)
    replace(shop, plugins, 2)
    status, body = waiting.reply()
    assert status == 503 and b"replaced" in body
    wait_quiet_worlds(shop)
    line = shop.wait_log(lambda l: l.get("message") == "a replaced world was not let go in time")
    assert line["cut"] >= 1
    with pytest.raises((AssertionError, OSError)):  # what was being sent is cut, and can be seen to be
        for _ in range(KERNEL):
            check_large(*reading.reply())
    waiting.close()
    reading.close()
    assert Client(shop).get("/swap/now/1").text[0] == "2"
    assert shop.stop() == 0


def wait_quiet_worlds(shop) -> None:
    def is_quiet() -> bool:
        status = ask(shop, "status")
        return len(status["worlds"]) == metric(shop, "worlds_alive") == 1 and \
            status["generations"]["alive"] <= len(status["plugins"])

    wait_until(is_quiet, "an old world is held")


# ---- What is shared with the world before (docs/adr/0017-sharing.md) ----

def generations(shop) -> dict:
    return {p["name"]: p["generation"] for p in ask(shop, "status")["plugins"]}


def changed(before: dict, after: dict) -> set:
    return {name for name in after if after[name] != before.get(name)}


def apply_edited(shop, old: str, new: str) -> None:
    edit(shop, old, new)
    apply(shop)


def test_an_apply_loads_anew_only_what_it_touches(make_swappable, plugins):
    shop = make_swappable().start()
    first = generations(shop)
    apply_edited(shop, 'name = "Test Shop"', 'name = "Best Shop"')
    assert generations(shop) == first
    replace(shop, plugins, 2)
    second = generations(shop)
    assert changed(first, second) == {"swap"} and Client(shop).get("/swap/now/1").text[0] == "2"
    apply_edited(shop, "swap = {}", 'swap = { greeting = "welcome" }')
    third = generations(shop)
    assert changed(second, third) == {"swap"} and Client(shop).get("/swap/greeting").text == "welcome"
    plugins.touch_all(1)
    apply(shop)
    assert changed(third, generations(shop)) == set(third)
    wait_quiet(shop)


def test_a_theme_is_compiled_anew_only_when_its_bytes_change(make_swappable, tmp_path):
    themes = tmp_path / "themes"
    shutil.copytree(ROOT / "themes", themes)
    shop = make_swappable()
    edit(shop, f'theme_path = "{ROOT}/themes"', f'theme_path = "{themes}"')
    shop.start()
    footer = themes / "aurora/sections/footer.liquid"
    for text in ("first", "other"):
        before = footer.stat()
        footer.write_text(f"<footer>{text}</footer>")
        os.utime(footer, ns=(before.st_atime_ns, before.st_mtime_ns))
        apply(shop)
        assert f"<footer>{text}</footer>" in Client(shop).get("/").text


def test_a_sandbox_that_nothing_touches_serves_on(make_swappable, plugins):
    shop = make_swappable(plugins='swap = { place = "sandbox", trusted = true }').start()

    def pid() -> int:
        return next(p for p in ask(shop, "status")["plugins"] if p["name"] == "swap")["sandbox"]["pid"]

    first = pid()
    plugins.put("hello", (plugins.folder / "hello.so").read_bytes() + b"\ntouched")
    apply_edited(shop, "user = {}", 'user = {}, hello = {}')
    assert pid() == first and Client(shop).get("/swap/now/1").text[0] == "1"
    apply_edited(shop, 'name = "Test Shop"', 'name = "Best Shop"')
    assert (second := pid()) != first  # the child is told the shop's name
    replace(shop, plugins, 2)
    assert pid() != second and Client(shop).get("/swap/now/1").text[0] == "2"
    wait_quiet(shop)


@pytest.mark.parametrize("place", ["process", "sandbox"])
def test_a_secret_among_its_settings_reaches_a_plugin_and_nobody_else(make_swappable, place):
    shop = make_swappable(plugins=f'swap = {{ greeting = stoa.secret "greeting", place = "{place}", trusted = true }}',
                          seed=False)
    secret = shop.config.parent / "secrets/greeting"
    secret.parent.mkdir()
    secret.write_text("first-of-its-kind")
    shop.cli("migrate")
    shop.start()
    assert Client(shop).get("/swap/greeting").text == "first-of-its-kind"
    secret.write_text("second-of-its-kind")
    plan = ask(shop, "plan")
    assert plan["changes"] and [s["path"] for s in plan["settings"]] == ["plugins.swap.greeting"]
    apply(shop)
    assert Client(shop).get("/swap/greeting").text == "second-of-its-kind"
    wait_quiet(shop)
    said = json.dumps([plan, ask(shop, "status"), ask(shop, "history")]) + shop.cli("check", "--effective").stdout
    assert shop.stop() == 0
    said += json.dumps(shop.lines)
    kept = [path for path in shop.data.rglob("*") if path.is_file() and b"of-its-kind" in path.read_bytes()]
    assert "of-its-kind" not in said and kept == []


def test_generations_have_a_limit(make_swappable, plugins):
    shop = make_swappable(limits="generations = 8").start()
    plugins.swap(2)
    answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == "room" and "limits.generations" in answer["text"]
    assert Client(shop).get("/swap/now/1").text[0] == "1"
    assert len(ask(shop, "status")["worlds"]) == 1


def test_an_apply_waits_for_a_world_to_end(make_swappable, plugins):
    shop = make_swappable(limits='generations = 20, retire = "1s"').start()
    waiting = Reader(shop.port)
    waiting.send("/swap/long/1")
    wait_in_flight(shop, 1)
    replace(shop, plugins, 2)
    replace(shop, plugins, 3)
    assert Client(shop).get("/swap/now/1").text[0] == "3"
    assert waiting.reply()[0] == 503
    waiting.close()
    wait_quiet(shop)


def test_a_job_that_outstays_its_world_is_cut_and_runs_in_the_next(make_swappable, plugins):
    plugins.swap(3)
    shop = make_swappable(plugins="swap = { outstay = true }", limits='retire = "1s"').start()
    shop.wait_log(lambda l: l.get("message") == "tick 3")  # it sleeps for ten minutes now
    edit(shop, "outstay = true", "outstay = false")
    apply(shop)
    line = shop.wait_log(lambda l: l.get("message") == "a job of a replaced world was cut")
    assert line["job"] == "swap.tick"
    wait_quiet_worlds(shop)
    shop.wait_log(lambda l: l.get("message") == "tick 3", since=len(shop.lines))
    assert shop.stop() == 0
