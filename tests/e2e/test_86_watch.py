"""`stoa run --watch`: what was changed is applied by itself, in development only.
SPDX-License-Identifier: Apache-2.0"""
import os
import shutil
import signal
import time

import pytest
from support.client import Client
from support.control import ask, edit, wait_until
from support.shop import ROOT


@pytest.fixture
def make_watched(make_shop, plugins, tmp_path):
    shutil.copytree(ROOT / "themes", tmp_path / "themes")

    def make(**options):
        shop = make_shop(plugins="swap = {}", more=f'plugin_path = "{plugins.folder}",', **options)
        text = shop.config.read_text().replace(f"{ROOT}/themes", str(tmp_path / "themes"))
        shop.config.write_text(text)
        return shop

    return make


def in_force(line, after: int = 0) -> bool:
    """after: a world's number. What the log says of it may be read later than its status is."""
    return line.get("message") == "a new world is in force" and line["world"] > after


def wait_calm(shop) -> int:
    """Whoever writes slowly may be applied in two parts: until the second one would have come. The world in force."""
    status = ask(shop, "status")
    while True:
        time.sleep(1)  # several times what is waited for the rest of a change
        before, status = status, ask(shop, "status")
        if status["applies"] == before["applies"]:
            return status["world"]


def test_changes_are_applied_by_themselves(make_watched, plugins, tmp_path):
    shop = make_watched().start("--watch")
    assert Client(shop).get("/swap/greeting").text == "hello"
    text = shop.config.read_text()
    shop.config.write_text(text.replace("swap = {}", 'swap = { greeting = "moin" }'))
    line = shop.wait_log(in_force)
    assert line["who"] == "watch"
    wait_until(lambda: Client(shop).get("/swap/greeting").text == "moin")
    plugins.swap(2)
    wait_until(lambda: Client(shop).get("/swap/now/1").text[0] == "2")
    before = wait_calm(shop)
    style = next((tmp_path / "themes/aurora").rglob("*.liquid"))
    style.write_text(style.read_text() + "\n")
    shop.wait_log(lambda l: in_force(l, before))
    # A mistake is told with its place, and nothing has changed.
    wait_calm(shop)
    shop.config.write_text(text.replace("swap = {}", "swap = {"))
    line = shop.wait_log(lambda l: l.get("message") == "nothing was changed")
    assert "config.lua:" in line["why"] and Client(shop).get("/swap/greeting").text == "moin"
    assert shop.stop() == 0


def test_another_folder_of_plugins_is_watched_from_then_on(make_watched, plugins, tmp_path):
    shop = make_watched().start("--watch")
    shutil.copytree(plugins.folder, tmp_path / "more")
    edit(shop, str(plugins.folder), str(tmp_path / "more"))
    shop.wait_log(in_force)
    before = wait_calm(shop)
    shutil.copy(plugins.version(2), tmp_path / "part")
    os.replace(tmp_path / "part", tmp_path / "more/swap.so")
    shop.wait_log(lambda l: in_force(l, before))
    assert Client(shop).get("/swap/now/1").text[0] == "2"


def say_greeting(shop, text, greeting) -> None:
    shop.config.write_text(text.replace("swap = {}", f'swap = {{ greeting = "{greeting}" }}'))
    wait_until(lambda: Client(shop).get("/swap/greeting").text == greeting)
    wait_calm(shop)


def test_folders_that_are_made_anew_do_not_add_up(make_watched, plugins):
    shop = make_watched()
    text, more = shop.config.read_text(), plugins.folder / "more"
    make = lambda count: [(more / str(n)).mkdir(parents=True) for n in range(count)]
    unwatched = lambda: [line for line in shop.lines if line.get("message") == "a folder is not watched"]
    make(100)
    shop.start("--watch")
    for n in range(3):
        shutil.rmtree(more)
        make(100)
        say_greeting(shop, text, f"moin {n}")
    assert not unwatched()
    make_more = [(more / f"too many {n}").mkdir() for n in range(256)]
    say_greeting(shop, text, "enough")
    wait_until(unwatched, "it is not told")
    assert len(unwatched()) <= len(make_more) and all("256" in line["why"] for line in unwatched())


def test_what_the_kernel_had_no_room_to_tell_is_applied(make_watched, plugins):
    shop = make_watched().start("--watch")
    worker, room = shop.worker(), int(open("/proc/sys/fs/inotify/max_queued_events").read())
    (plugins.folder / ".0").touch()
    os.kill(worker, signal.SIGSTOP)
    for n in range(room // 2 + 1):  # two events each, of a name that does not count
        os.rename(plugins.folder / f".{n}", plugins.folder / f".{n + 1}")
    edit(shop, "swap = {}", 'swap = { greeting = "moin" }')
    os.kill(worker, signal.SIGCONT)
    wait_until(lambda: Client(shop).get("/swap/greeting").text == "moin")


QUIET_S = 0.15  # for so long nothing more is written: the change is whole


def test_many_writes_are_one_apply(make_watched, plugins):
    shop = make_watched().start("--watch")
    written = []
    for n in range(20):
        plugins.swap(2 - n % 2)
        written.append(time.monotonic())
    (plugins.folder / "notes.txt~").write_text("of an editor")
    plugins.swap(2)
    written.append(time.monotonic())
    pauses = sum(after - before > QUIET_S / 3 for before, after in zip(written, written[1:]))  # of a busy machine
    wait_until(lambda: Client(shop).get("/swap/now/1").text[0] == "2")
    wait_calm(shop)  # what would come too much comes now
    assert ask(shop, "status")["applies"]["done"] <= 3 + pauses
    assert Client(shop).get("/swap/now/1").text[0] == "2"


def test_in_production_nothing_is_watched(make_watched, plugins):
    shop = make_watched()
    shop.config.write_text(shop.config.read_text().replace(
        "migration_path", "development = false, migration_path", 1))
    shop.start("--watch")
    plugins.swap(2)
    time.sleep(1)
    assert Client(shop).get("/swap/now/1").text[0] == "1"
