"""What an operator does wrong, and what they are told: the place, the reason, the mend.
SPDX-License-Identifier: Apache-2.0"""
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess

import pytest
from support.client import Client, buy
from support.control import wait_until
from support.shop import Shop, binary, build_folder, database_kind

CONFIG_ERROR = 78
PASSWORD = "s3cret-of-the-database"


def stoa(*args: str, cwd: pathlib.Path | None = None, env: dict | None = None):
    return subprocess.run([binary(), *args], capture_output=True, text=True, timeout=120, cwd=cwd,
                          env={**os.environ, **(env or {})})


def refused(shop: Shop, *words: str, command: str = "run", env: dict | None = None) -> str:
    """The command ends with 78 and says all of the words, on stderr only."""
    done = stoa(command, "-c", str(shop.config), "--data", str(shop.data), env=env)
    assert done.returncode == CONFIG_ERROR, (done.returncode, done.stdout, done.stderr)
    assert done.stdout == "" and done.stderr.startswith("stoa: "), done.stderr
    for word in words:
        assert word in done.stderr, f"{word!r} is not in: {done.stderr}"
    return done.stderr


def change(shop: Shop, before: str, after: str) -> int:
    """Changes the configuration; returns the line."""
    text = shop.config.read_text()
    assert before in text
    shop.config.write_text(text.replace(before, after, 1))
    return text[: text.index(before)].count("\n") + 1


@pytest.fixture
def made(make_shop):
    return make_shop(seed=False)


# ---- config.lua ----

def test_broken_lua_is_told_with_its_line(made):
    line = change(made, "resources = {", "resources = = {")
    refused(made, f"config.lua:{line}")


def test_who_ignores_children_starts_it_all_the_same(made):
    """Ignored signals are inherited, and with this one no child has a status."""
    def check():
        command = [binary(), "check", "-c", str(made.config), "--data", str(made.data)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120,
                              preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))

    done = check()
    assert done.returncode == 0, done
    line = change(made, "resources = {", "resources = = {")
    done = check()
    assert done.returncode == CONFIG_ERROR and f"config.lua:{line}" in done.stderr, done


def test_an_unknown_key_is_told_with_what_was_meant(made):
    line = change(made, "limits = {", "limitz = {")
    refused(made, f"config.lua:{line}", "limitz", "did you mean", "limits")


def test_a_plugins_unknown_key_is_told_too(made):
    change(made, "theme = \"aurora\"", "theme = \"aurora\", colour = 1")
    refused(made, "config.lua:", "colour")


def test_a_missing_file_is_told(tmp_path):
    done = stoa("check", "-c", str(tmp_path / "none.lua"))
    assert done.returncode == CONFIG_ERROR and "none.lua" in done.stderr


# ---- plugins ----

@pytest.fixture
def own_plugins(made):
    """The shop with a plugin folder of its own."""
    folder = made.folder / "plugins"
    folder.mkdir()
    for name in ("user", "product", "order", "payment", "shipping", "notification", "storefront"):
        packed = build_folder() / "plugins" / name / f"{name}.so"
        flat = build_folder() / "plugins" / f"{name}.so"
        shutil.copy(packed if packed.exists() else flat, folder / f"{name}.so")
    change(made, "migration_path =", f'plugin_path = "{folder}", trust = {{ all = true }}, migration_path =')
    return made, folder


def test_a_missing_plugin_is_told(own_plugins):
    shop, folder = own_plugins
    change(shop, "shipping = {}", "shipping = {}, nowhere = {}")
    refused(shop, "nowhere.so", "cannot be opened", "is the plugin installed?")


def test_a_truncated_plugin_is_told(own_plugins):
    shop, folder = own_plugins
    whole = (folder / "shipping.so").read_bytes()
    (folder / "shipping.so").write_bytes(whole[: len(whole) // 2])
    refused(shop, "shipping.so", "cut short", "copy or build it again")


def test_a_plugin_for_another_abi_is_told(own_plugins):
    shop, folder = own_plugins
    code = bytearray((folder / "shipping.so").read_bytes())
    at = code.index(b"Stoa\0\0\0\0") + 8
    code[at:at + 2] = (7).to_bytes(2, "little")
    (folder / "shipping.so").write_bytes(code)
    refused(shop, "shipping.so", "SDK ABI 7.0", "this host has 1.0", "build it again")


def test_a_plugin_of_another_name_is_told(own_plugins):
    shop, folder = own_plugins
    shutil.copy(folder / "user.so", folder / "shipping.so")
    refused(shop, "manifest says 'user'", "'shipping'")


# ---- the machine ----

def test_a_busy_port_is_told(made):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        change(made, "127.0.0.1:0", f"127.0.0.1:{port}")
        made.cli("migrate")
        refused(made, f"127.0.0.1:{port}", "in use")


def test_a_second_shop_on_the_same_data_is_refused(shop):
    refused(shop, str(shop.data), "another stoa serves this data folder", "--data DIR")
    assert shop.is_running() and Client(shop).get("/readyz").status == 200


def test_a_data_folder_that_is_a_file_is_told(made):
    made.data.write_text("")
    refused(made, str(made.data), "data folder cannot be used", "--data DIR")


def test_a_data_folder_that_may_not_be_written_is_told(made):
    if os.geteuid() == 0:
        pytest.skip("root may write everywhere")
    made.data.mkdir(mode=0o500)
    refused(made, str(made.data), "Permission denied", "--data DIR")


def test_a_data_folder_with_a_long_name_is_told(made):
    made.data = made.folder / ("d" * 120)
    refused(made, "too long", "--data DIR")


def test_an_unreachable_postgresql_is_told_without_its_password(made):
    change(made, "sql = stoa.", f'sql = stoa.postgresql {{ url = "postgresql://shop:{PASSWORD}'
           '@127.0.0.1:1/shop" }, other = stoa.')
    said = refused(made, "127.0.0.1")
    assert PASSWORD not in said
    assert PASSWORD not in stoa("check", "--effective", "-c", str(made.config)).stdout


def test_a_long_address_of_a_database_is_one_like_any_other(made):
    change(made, "sql = stoa.", 'sql = stoa.postgresql { url = stoa.secret "database" }, other = stoa.')
    long = f"postgresql://shop@127.0.0.1:1/shop?application_name={'x' * 9000}"
    refused(made, "127.0.0.1", command="migrate", env={"STOA_SECRET_DATABASE": long})


def test_check_finds_what_is_not_there(made):
    change(made, "plugins = {", "plugins = { nosuchplugin = {},")
    refused(made, "nosuchplugin", command="check")
    change(made, "nosuchplugin = {},", "")
    assert made.cli("check").returncode == 0
    change(made, "sql = stoa.", 'sql = stoa.postgresql { url = "postgresql://shop@127.0.0.1:1/shop" }, other = stoa.')
    refused(made, "127.0.0.1", command="check")
    assert made.cli("check", "--effective").returncode == 0  # it only prints


def everything_below(folder: pathlib.Path) -> dict:
    return {p.relative_to(folder): (p.stat().st_mtime_ns, p.read_bytes()) for p in folder.rglob("*") if p.is_file()}


def test_check_changes_nothing_on_disk(made):
    before = everything_below(made.folder)
    done = made.cli("check")
    assert "stoa: warning: " in done.stderr and "stoa migrate" in done.stderr, done.stderr
    assert everything_below(made.folder) == before and not made.data.exists()
    made.cli("migrate")
    before = everything_below(made.folder)
    assert "warning" not in made.cli("check").stderr
    assert everything_below(made.folder) == before


def test_pending_migrations_are_told_in_production(made):
    change(made, "plugins = {", "development = false, plugins = {")
    refused(made, "stoa migrate")
    made.cli("migrate")
    made.start()
    assert made.stop() == 0


def test_development_migrates_by_itself(made):
    change(made, "plugins = {", "development = true, plugins = {")
    made.start()
    assert made.stop() == 0


@pytest.mark.parametrize("spec", ["nonsense", "a=b", "a=error:NOTHING", "a=kill@x", "=kill"])
def test_a_fault_that_cannot_be_read_is_told(made, spec):
    refused(made, "STOA_FAULT", spec, "place=kill", env={"STOA_FAULT": spec})


# ---- the command line ----

COMMANDS = ["run", "check", "migrate", "seed", "status", "plan", "apply", "confirm", "rollback",
            "history", "audit", "plugin", "upgrade", "drain", "stop"]


@pytest.mark.parametrize("args, said", [
    (["rum"], "did you mean 'run'"),
    (["fly"], "there is no command 'fly'"),
    (["run", "--colour"], "--colour"),
    (["run", "--port", "70000"], "0 to 65535"),
    (["run", "--port"], "--port"),
    (["run", "twice"], "one word too many"),
    ([], "Usage"),
])
def test_wrong_usage_ends_with_2(args, said):
    done = stoa(*args)
    assert done.returncode == 2 and done.stdout == ""
    assert said in done.stderr and ("--help" in done.stderr or said == "Usage")


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_shows_examples(command):
    done = stoa(command, "--help")
    assert done.returncode == 0 and done.stderr == ""
    examples = done.stdout.partition("Examples:\n")[2]
    assert f"  stoa {command}" in examples


def test_help_lists_the_commands_and_options():
    done = stoa("--help")
    assert done.returncode == 0
    for word in COMMANDS + ["--data", "--port", "--json", "78"]:
        assert word in done.stdout
    assert re.match(r"stoa \d+\.\d+\.\d+", stoa("--version").stdout)


def test_a_good_configuration_has_a_hash(made):
    first = made.cli("check").stdout
    assert re.search(r"ok, hash [0-9a-f]{64}", first) and made.cli("check").stdout == first


# ---- while it runs ----

def test_status_tells_what_runs(shop):
    status = json.loads(shop.cli("status").stdout)
    assert status["state"] == "serving" and status["pid"] == shop.process.pid
    assert {p["name"] for p in status["plugins"]} >= {"user", "product", "order"}
    assert status["listen"] == [f"127.0.0.1:{shop.port}"]


def test_status_without_a_shop_says_so(made):
    done = made.cli("status", check=False)
    assert done.returncode == 1 and done.stdout == ""
    assert "no shop is running on this data folder" in done.stderr and "stoa run" in done.stderr


def test_sigterm_ends_with_0(made):
    made.cli("migrate")
    made.start()
    made.process.send_signal(signal.SIGTERM)
    assert made.wait() == 0
    assert not (made.data / "control.sock").exists()


def test_sigusr1_opens_the_log_again(made):
    log, old = made.folder / "shop.log", made.folder / "shop.log.1"
    change(made, 'log = { format = "json"', f'log = {{ file = "{log}", format = "json"')
    made.cli("migrate")
    process = subprocess.Popen([binary(), "run", "-c", str(made.config), "--data", str(made.data)])
    try:
        wait_until(lambda: log.exists() and "the shop is open" in log.read_text())
        log.rename(old)
        process.send_signal(signal.SIGUSR1)
        wait_until(log.exists)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    finally:
        process.kill()
        process.wait()
    assert "stopped" in log.read_text() and "stopped" not in old.read_text()


def test_after_kill_9_the_same_data_serves_at_once(make_shop):
    shop = make_shop()
    shop.start()
    order = buy(shop, "AEG-MUG").json["order"]
    shop.kill()
    assert (shop.data / "control.sock").exists()
    shop.start()
    shown = Client(shop).get(f"/api/v1/orders/{order['id']}", x_order_token=order["token"])
    assert shown.status == 200 and shown.json["number"] == order["number"]
    assert json.loads(shop.cli("status").stdout)["pid"] == shop.process.pid
    assert shop.stop() == 0
    shop.audit()


@pytest.mark.skipif(database_kind() != "sqlite", reason="the file is SQLite's")
def test_a_broken_database_file_is_told(made):
    made.data.mkdir()
    (made.data / "stoa.db").write_bytes(b"this is no database" * 100)
    said = refused(made, "stoa.db")
    assert "not a database" in said
