"""Whatever is wrong with an apply, the world in force serves on and the message says where and why.
SPDX-License-Identifier: Apache-2.0"""
import shutil
import socket
import subprocess
import threading

import pytest
from support.client import Client
from support.control import apply, ask, edit, metric
from support.shop import ROOT, binary, build_folder
from support.swaps import Load, Reader, check_numbered, unmaps, wait_quiet


def state(shop) -> dict:
    """What a failed apply must not change."""
    status = ask(shop, "status")
    return {key: status[key] for key in ("config_hash", "world", "revision", "plugins", "pid")} | {
        "alive": status["generations"]["alive"], "worlds": len(status["worlds"]),
        "listen": status["listen"], "history": ask(shop, "history")["revisions"]}


def bad(name: str):
    return build_folder() / f"tests/data/swap/bad_{name}.so"


# ---- A trial in a process of its own ----

@pytest.mark.in_process
@pytest.mark.parametrize("sin, said", [
    ("crash", "'create' ended"), ("abort", "'create' ended"),
    ("hang", "'create' was not over"), ("memory", "'create' "),
    ("constructor_crash", "code when it is loaded"), ("constructor_hang", "code when it is loaded")])
def test_what_crashes_or_hangs_does_so_elsewhere(make_swappable, plugins, sin, said):
    if sin == "memory" and not unmaps():
        pytest.skip("a process with sanitizers has no limit of memory")
    if sin.startswith("constructor") and not unmaps():
        said = "'load' "  # such a host lets constructors pass, and the trial finds them
    shop = make_swappable(limits='trial = "60s"').start()
    before = state(shop)
    load = Load(shop)
    load.add(load.keep_alive, 2).start()
    plugins.put("swap", bad(sin))
    if "hang" in sin:
        edit(shop, 'trial = "60s"', 'trial = "6s"')
    answer = ask(shop, "apply")
    load.wait_replies(len(load.threads))
    load.stop()
    assert not answer["ok"] and answer["step"] == "build", answer
    assert "swap.so" in answer["text"] and said in answer["text"], answer["text"]
    if sin == "crash" and unmaps():
        assert "SIGSEGV" in answer["text"]
    assert load.failures == [] and load.versions == {"1"}
    assert state(shop) == before
    if "hang" in sin:
        edit(shop, 'trial = "6s"', 'trial = "60s"')
    plugins.swap(2)
    apply(shop)
    assert Client(shop).get("/swap/now/1").text[0] == "2"
    wait_quiet(shop)
    assert shop.stop() == 0


@pytest.mark.in_process
def test_what_was_tried_is_not_tried_again(make_swappable, plugins):
    shop = make_swappable().start()
    first = metric(shop, "plugin_trials_total")
    assert first == len(ask(shop, "status")["plugins"])
    apply(shop)
    assert metric(shop, "plugin_trials_total") == first
    for version in (2, 1):
        plugins.swap(version)
        apply(shop)
        assert metric(shop, "plugin_trials_total") == first + 1


# ---- The table: what may be wrong, at which step it is found, what is said ----

def keygen(folder, name: str):
    done = subprocess.run([binary(), "plugin", "keygen", name], cwd=folder, capture_output=True,
                          text=True, check=True, timeout=60)
    return folder / f"{name}.key", done.stdout.strip()


def sign(plugins, key) -> None:
    subprocess.run([binary(), "plugin", "sign", plugins.folder / "swap.so", "--key", key],
                   check=True, capture_output=True, timeout=60)


class Case:
    """What the ways to go wrong need."""

    def __init__(self, shop, plugins, key):
        self.shop, self.plugins, self.key = shop, plugins, key
        self.taken = socket.socket()

    def abi(self):
        data = bytearray(self.plugins.version(2).read_bytes())
        at = data.index(b"Stoa\0\0\0\0") + 8
        data[at:at + 2] = b"\x09\x00"
        self.plugins.put("swap", bytes(data))

    def truncated(self):
        data = self.plugins.version(2).read_bytes()
        self.plugins.put("swap", data[:len(data) // 2])

    def flipped(self):
        self.plugins.swap(2)
        sign(self.plugins, self.key)
        data = bytearray(self.plugins.version(2).read_bytes())
        data[data.index(b"0123456789abcdef")] ^= 1
        self.plugins.put("swap", bytes(data))

    def forged(self):
        folder = self.shop.folder / "forger"
        folder.mkdir()
        self.plugins.swap(2)
        sign(self.plugins, keygen(folder, "acme")[0])

    def missing(self):
        (self.plugins.folder / "swap.so").unlink()

    def no_elf(self):
        self.plugins.put("swap", b"#!/bin/sh\nexit 0\n" * 100)

    def unknown_key(self):
        edit(self.shop, "swap = {}", 'swap = { greetin = "x" }')

    def warm(self):  # the last but one of all plugins: those before it are warm already
        edit(self.shop, "swap = {}", "swap = { fail_warm = true }")

    def lua_error(self):
        edit(self.shop, "swap = {}", "swap = {")

    def lua_endless(self):
        edit(self.shop, 'local stoa = require "stoa"', 'local stoa = require "stoa"\nwhile true do end')

    def lua_table(self):
        edit(self.shop, 'local stoa = require "stoa"', 'local stoa = require "stoa"\n'
             'local t, x = {}, ("x"):rep(65536) for i = 1, 1000000 do t[i] = x .. i end')

    def port_in_use(self):
        self.taken.bind(("127.0.0.1", 0))
        self.taken.listen()
        port = self.taken.getsockname()[1]
        edit(self.shop, '"127.0.0.1:0"', f'"127.0.0.1:0", "127.0.0.1:{port}"')

    def disk_full(self):  # see STOA_FAULT below: nothing can be written since the start
        self.plugins.swap(2)


@pytest.mark.parametrize("what, step, place, why", [
    ("abi", "build", "swap.so", "ABI 9"), ("truncated", "build", "swap.so", "cut short"),
    ("flipped", "build", "swap.so", "not one of these bits"),
    ("forged", "build", "swap.so", "not one of these bits"),
    ("missing", "build", "swap.so", "No such file"), ("no_elf", "build", "swap.so", "ELF"),
    ("unknown_key", "build", "config.lua", "greetin"), ("warm", "warm", "swap", "warm() failed"),
    ("lua_error", "config", "config.lua:", "expected"),
    ("lua_endless", "config", "config.lua:", "endless loop"),
    ("lua_table", "config", "config.lua:", "huge table"),
    ("port_in_use", "listen", "config.lua:", "is in use"),
    ("disk_full", "record", "revisions", "No space left")])
def test_what_is_wrong_changes_nothing(make_shop, plugins, tmp_path, what, step, place, why):
    key, line = keygen(tmp_path, "acme")
    shop = make_shop(plugins="swap = {}", more=f'plugin_path = "{plugins.folder}",'
                     f' trust = {{ all = true, keys = {{ "{line}" }} }},').start()
    if what == "disk_full":  # a second start has nothing to write into the history
        assert shop.stop() == 0
        shop.start(env={"STOA_FAULT": "file.write=error:STORE"})
    before = state(shop)
    load = Load(shop)
    load.add(load.keep_alive, 2).add(load.waiting).start()
    case = Case(shop, plugins, key)
    getattr(case, what)()
    answer = ask(shop, "apply")
    case.taken.close()
    load.wait_replies(len(load.threads))
    load.stop()
    assert not answer["ok"] and answer["step"] == step, answer
    assert place in answer["text"] and why in answer["text"], answer["text"]
    assert load.failures == [] and load.versions == {"1"} and load.replies > 0
    after = state(shop)
    assert after == before
    assert ask(shop, "status")["applies"]["failed"] == 1
    wait_quiet(shop)
    assert shop.stop() == 0


def test_a_file_that_is_rewritten_during_the_load(make_swappable, plugins):
    """Rewritten in place, as cp does it: an apply takes one whole version or none."""
    shop = make_swappable().start()
    load = Load(shop)
    load.add(load.keep_alive, 2).start()
    ended = threading.Event()

    def rewrite() -> None:
        n = 0
        while not ended.is_set():
            n += 1
            shutil.copyfile(plugins.version(1 + n % 2), plugins.folder / "swap.so")

    writer = threading.Thread(target=rewrite)
    writer.start()
    try:
        for _ in range(25):
            before = ask(shop, "status")
            answer = ask(shop, "apply")
            after = ask(shop, "status")
            assert answer["ok"] or after["config_hash"] == before["config_hash"]
            assert answer["ok"] or after["plugins"] == before["plugins"]
            assert answer["ok"] or "swap.so" in answer["text"]
            says = next(p["version"] for p in after["plugins"] if p["name"] == "swap")
            reader = Reader(shop.port)
            reader.send("/swap/now/1")
            assert check_numbered(*reader.reply(), "1") == says[0]
            reader.close()
    finally:
        ended.set()
        writer.join()
        load.stop()
    assert load.failures == []
    assert shop.stop() == 0


def test_missing_migrations_are_planned_and_not_applied(make_shop, tmp_path):
    shop = make_shop().start()
    before = state(shop)
    folder = tmp_path / "migrations"
    shutil.copytree(ROOT / "migrations", folder)
    (folder / "order/0999_more.sql").write_text("CREATE TABLE order_more (id TEXT PRIMARY KEY);\n")
    edit(shop, str(ROOT / "migrations"), str(folder))
    plan = ask(shop, "plan")
    assert plan["ok"] and plan["changes"] and "order" in plan["migrations"][0], plan
    assert "migrate  " in shop.cli("plan").stdout
    answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == "check" and "stoa migrate" in answer["text"]
    assert state(shop) == before
    shop.cli("migrate")
    assert apply(shop) and "migrations" not in ask(shop, "plan")
    assert shop.stop() == 0
