"""Databases of a running shop: added, given other settings, removed. SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import sqlite3
import subprocess
import uuid

import pytest
from support.client import Client, buy, new_email
from support.control import apply, ask, edit, wait_until
from support.database import run_sql
from support.page import Browser
from support.shop import make_database
from support.visitors import Visitors

CATALOGUE = "/api/v1/products"


def rows_of(shop, where: str | None, text: str) -> list:
    """where: another SQLite file or PostgreSQL URL; None: the shop's own."""
    if where is None:
        return run_sql(shop, text) if shop.database else rows_of(shop, str(shop.data / "stoa.db"), text)
    if where.startswith("postgres"):
        done = subprocess.run(["psql", "-qAt", where, "-c", text], check=True, capture_output=True, text=True)
        return done.stdout.split()
    with sqlite3.connect(where, timeout=20) as database:
        return database.execute(text).fetchall()


def register(shop) -> str:
    """Somebody new; their address."""
    browser, email = Browser(shop), new_email()
    form = browser.open("/register").form("/register")
    done = browser.submit(form, email=email, name="Ada", password="correct horse battery")
    assert done.answer.status == 200, done.text
    return email


def threads(shop) -> int:
    """Each SQLite handle has one that writes: two handles of one file would show."""
    return len(os.listdir(f"/proc/{shop.worker()}/task"))


def await_delivered(shop, where: str | None = None) -> None:
    """Every event has reached its subscribers: the relay of the database in use works."""
    waiting = "SELECT (SELECT COUNT(*) FROM stoa_outbox) + (SELECT COUNT(*) FROM stoa_bus)"
    wait_until(lambda: int(rows_of(shop, where, waiting)[0][0]) == 0, "events are left")


def another(shop) -> tuple[str, str]:
    """A database beside the shop's: where, and the resource."""
    if shop.database:
        url = make_database()
        return url, f'stoa.postgresql {{ url = "{url}" }}'
    return str(shop.data / "users.db"), 'stoa.sqlite { file = "users.db" }'


def test_a_plugin_gets_a_database_of_its_own_and_loses_it_again(make_shop):
    shop = make_shop().start()
    where, resource = another(shop)
    count = "SELECT COUNT(*) FROM user_account WHERE email = '%s'"
    before = register(shop)
    assert str(rows_of(shop, None, count % before)[0][0]) == "1"
    with Visitors(shop, CATALOGUE, keep=4) as visitors:
        visitors.wait_more(20)
        edit(shop, "cache = stoa.memory", f"users = {resource}, cache = stoa.memory")
        edit(shop, "user = {}", 'user = { sql = "users" }')
        answer = ask(shop, "apply")
        assert not answer["ok"] and "stoa migrate" in answer["text"], answer
        assert str(rows_of(shop, None, count % register(shop))[0][0]) == "1", "nothing has changed"
        shop.cli("migrate")
        assert any(s["path"] == "resources.users" for s in ask(shop, "plan")["settings"])
        apply(shop)
        there = register(shop)
        assert str(rows_of(shop, where, count % there)[0][0]) == "1"
        assert str(rows_of(shop, None, count % there)[0][0]) == "0"
        alive = threads(shop)
        for _ in range(5):
            apply(shop)
        wait_until(lambda: threads(shop) <= alive, "there are more threads")
        edit(shop, f"users = {resource}, ", "")
        edit(shop, 'user = { sql = "users" }', "user = {}")
        apply(shop)
        here = register(shop)
        assert str(rows_of(shop, None, count % here)[0][0]) == "1"
        assert str(rows_of(shop, where, count % here)[0][0]) == "0"
        visitors.wait_more(40)
    assert not visitors.failed and visitors.done > 50
    assert buy(shop, Client(shop).get("/api/v1/products").json["items"][0]["sku"]).status == 201
    await_delivered(shop)
    assert shop.stop() == 0
    shop.audit()


def connections(shop, name: str) -> int:
    return int(rows_of(shop, shop.database, f"SELECT COUNT(*) FROM pg_stat_activity WHERE application_name = '{name}'")[0])


def test_other_settings_of_a_connection_open_new_ones_and_the_old_rest(make_shop):
    shop = make_shop()
    if not shop.database:
        pytest.skip("SQLite has no connections")
    first, second, third = uuid.uuid4().hex, uuid.uuid4().hex, uuid.uuid4().hex
    join = "&" if "?" in shop.database else "?"
    edit(shop, shop.database, f"{shop.database}{join}application_name={first}")
    shop.start()
    sku = Client(shop).get("/api/v1/products").json["items"][0]["sku"]
    assert buy(shop, sku).status == 201 and connections(shop, first) > 0
    for old, new in ((first, second), (second, third), (third, first)):
        with Visitors(shop, CATALOGUE, keep=4) as visitors:
            visitors.wait_more(20)
            edit(shop, f"application_name={old}", f"application_name={new}")
            apply(shop)
            assert buy(shop, sku).status == 201
            visitors.wait_more(20)
        assert not visitors.failed and visitors.done > 20
        await_delivered(shop)
        assert connections(shop, new) > 0
        wait_until(lambda: connections(shop, old) == 0, "old connections are left")
    assert shop.stop() == 0
    shop.audit()


def waiting(shop) -> set:
    """Those connections that wait for a lock, by name: for the table of deliveries, or for the row in the inbox of who
    delivers the same event."""
    return {name for name, in run_sql(shop, "SELECT application_name FROM pg_stat_activity WHERE wait_event_type = 'Lock' "
                                            "AND datname = current_database()")}


class Lock:
    """with Lock(shop): nobody can note a delivery."""

    def __init__(self, shop):
        self.shop = shop

    def __enter__(self):
        self.psql = subprocess.Popen(["psql", "-qAt", self.shop.database], stdin=subprocess.PIPE,
                                     stdout=subprocess.PIPE, text=True)
        self.psql.stdin.write("BEGIN; LOCK TABLE notification_delivery IN SHARE MODE; SELECT 'locked';\n")
        self.psql.stdin.flush()
        assert self.psql.stdout.readline() == "locked\n"

    def __exit__(self, *_: object) -> None:
        self.psql.communicate("COMMIT;\n", timeout=30)


def test_a_new_relay_gives_way_to_the_step_that_the_old_one_has_begun(make_shop):
    shop = make_shop()
    if not shop.database:
        pytest.skip("a file of SQLite is one database, whatever its settings")
    old, new = uuid.uuid4().hex, uuid.uuid4().hex
    join = "&" if "?" in shop.database else "?"
    edit(shop, shop.database, f"{shop.database}{join}application_name={old}")
    shop.start()
    sku = Client(shop).get("/api/v1/products").json["items"][0]["sku"]
    assert buy(shop, sku).status == 201
    await_delivered(shop)
    with Lock(shop):
        assert buy(shop, sku).status == 201
        wait_until(lambda: waiting(shop) == {old}, "the old relay delivers nothing")
        edit(shop, f"application_name={old}", f"application_name={new}")
        apply(shop)
        assert buy(shop, sku).status == 201  # wakes the new one
        assert connections(shop, new) > 0
        seen = [waiting(shop) for _ in range(8)]  # it would begin within milliseconds
    meanwhile = [names for names in seen if old in names]  # its transaction has a limit
    assert meanwhile and all(names == {old} for names in meanwhile), seen
    await_delivered(shop)
    wait_until(lambda: connections(shop, old) == 0, "old connections are left")
    assert shop.stop() == 0
    shop.audit()


def test_a_database_that_cannot_be_reached_changes_nothing(make_shop):
    shop = make_shop().start()
    before = ask(shop, "status")
    edit(shop, "cache = stoa.memory",
         'users = stoa.postgresql { url = "postgresql://nobody@127.0.0.1:1/none" }, cache = stoa.memory')
    answer = ask(shop, "apply")
    assert not answer["ok"] and "cannot be reached" in answer["text"]
    assert ask(shop, "status")["world"] == before["world"]
    assert Client(shop).get("/api/v1/products").status == 200
    assert shop.stop() == 0


def test_the_client_library_is_loaded_when_it_is_wanted(make_shop, tmp_path):
    shop = make_shop().start()
    maps = pathlib.Path(f"/proc/{shop.worker()}/maps").read_text()
    assert ("/libpq.so" in maps) == bool(shop.database)
    assert shop.stop() == 0
    (tmp_path / "libpq.so.5").write_bytes(b"no library")
    edit(shop, "cache = stoa.memory",
         'users = stoa.postgresql { url = "postgresql://nobody@127.0.0.1:1/none" }, cache = stoa.memory')
    shop.launch(env={"LD_LIBRARY_PATH": str(tmp_path)})
    said = shop.wait_log(lambda l: "cannot be loaded" in l.get("why", ""))["why"]
    assert "libpq, PostgreSQL's client library" in said and "install it (Debian: libpq5)" in said
    shop.kill()


def test_the_shop_moves_to_another_file(make_shop):
    shop = make_shop()
    if shop.database:
        pytest.skip("about SQLite")
    shop.start()
    with Visitors(shop, CATALOGUE, keep=4) as visitors:
        visitors.wait_more(20)
        edit(shop, "stoa.sqlite {}", 'stoa.sqlite { file = "second.db" }')
        shop.cli("migrate")
        shop.cli("seed")
        apply(shop)
        assert buy(shop, Client(shop).get("/api/v1/products").json["items"][0]["sku"]).status == 201
        visitors.wait_more(20)
    assert not visitors.failed
    await_delivered(shop, str(shop.data / "second.db"))
    orders = [rows_of(shop, str(shop.data / f"{name}.db"), "SELECT COUNT(*) FROM order_order")[0][0]
              for name in ("second", "stoa")]
    assert orders == [1, 0]
    assert list((shop.data / "mail").glob("*.eml"))
    assert shop.stop() == 0
    shop.audit()
