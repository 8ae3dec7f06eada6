"""Orders at their limits, and two who want the same one at once. SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import contextlib
import json
import sqlite3
import subprocess
import threading
import time

import pytest
from support.client import Client, Guest, buy, new_email
from support.control import ask, wait_until
from support.database import run_sql
from support.mail import read_mails, wait_for_mail
from support.shop import Shop, database_kind

LINES_MAX = 100
SKU, OTHER_SKU = "AEG-MUG", "MANY-000"
PASSWORD = "correct horse battery"


def stock_products(shop: Shop, count: int, pieces: int = 5) -> list[str]:
    """As many products of one SKU each; their SKUs."""
    skus = [f"MANY-{i:03}" for i in range(count)]
    items = ", ".join(f"('prd_many{i}', 'many-{i}', '{sku}')" for i, sku in enumerate(skus))
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_item "
                  "SELECT n.id, n.slug, c.id, 'Many', '', '', '', 'standard', '{}', '', 'active', 100, 1, 0, 0 "
                  "FROM n, (SELECT id FROM product_category LIMIT 1) c")
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_variant "
                  "SELECT sku, id, '', 100, 'EUR', 0 FROM n")
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_stock "
                  f"SELECT sku, id, {pieces}, 0, {pieces}, 0, 0, 0 FROM n")
    return skus


def fill(shop: Shop, guest: Guest, skus: list[str]) -> None:
    lines = ", ".join(f"('{guest.cart}', '{sku}', 1, 0)" for sku in skus)
    run_sql(shop, f"INSERT INTO order_cart_line (cart_id, sku, quantity, added_ms) VALUES {lines}")
    assert len(guest.show().json["lines"]) == len(skus)


def stock(shop: Shop) -> list[tuple]:
    return run_sql(shop, "SELECT DISTINCT available, reserved, sold FROM product_stock WHERE sku LIKE 'MANY-%'")


def test_an_order_of_a_hundred_products_is_paid_or_gives_everything_back(make_shop):
    """Every product's copies are dropped by the transaction that reserves it, and by the one that releases it."""
    shop = make_shop().start()
    skus = stock_products(shop, LINES_MAX)
    declined = Guest(shop)
    fill(shop, declined, skus)
    assert declined.check_out("tok_declined").status == 402
    assert stock(shop) == [("5", "0", "0")]
    assert run_sql(shop, "SELECT step FROM order_saga") == [("cancelled",)]
    guest = Guest(shop)
    fill(shop, guest, skus)
    paid = guest.check_out()
    assert paid.status == 201, paid.text
    assert len(paid.json["order"]["lines"]) == LINES_MAX
    wait_for_mail(shop, "ada@example.com")
    assert stock(shop) == [("4", "0", "1")]
    assert Client(shop).get("/api/v1/products/many-7").json["variants"][0]["available"] == 4
    assert shop.stop() == 0
    shop.audit()


# ---- Two tabs ----

@contextlib.contextmanager
def transaction(shop: Shop, *statements: str):
    """What another tab has written and not committed yet; it commits at the end."""
    if shop.database:
        other = subprocess.Popen(["psql", "-q", "-v", "ON_ERROR_STOP=1", shop.database], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        other.stdin.write("BEGIN;\n" + ";\n".join(statements) + ";\n\\echo written\n")
        other.stdin.flush()
        assert other.stdout.readline() == "written\n"
        yield
        other.communicate("COMMIT;\n", timeout=30)
        assert other.returncode == 0
    else:
        with contextlib.closing(sqlite3.connect(next(shop.data.glob("*.db")), isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            for text in statements:
                other.execute(text)
            yield
            other.execute("COMMIT")


def wait_for_blocked(shop: Shop, work: concurrent.futures.Future, waiting: int = 1) -> None:
    """Until work is done, or so many wait for a transaction. Of SQLite's queue nobody can be asked."""
    if not shop.database:
        wait_until(lambda: ask(shop, "status")["in_flight"] or work.done())
    deadline = time.monotonic() + (60 if shop.database else 2)
    while not work.done() and time.monotonic() < deadline:
        if shop.database and len(run_sql(shop, "SELECT pid FROM pg_locks WHERE NOT granted")) >= waiting:
            return
        threading.Event().wait(0.02)


def test_a_line_that_another_tab_adds_meanwhile_is_not_lost(make_shop):
    """It lay in an ordered cart, and was in no order."""
    shop = make_shop().start()
    stock_products(shop, 1)
    guest = Guest(shop)
    assert guest.add(SKU).status == 200
    with concurrent.futures.ThreadPoolExecutor(1) as pool:
        with transaction(shop, f"UPDATE order_cart SET version = version + 1 WHERE id = '{guest.cart}'",
                         "INSERT INTO order_cart_line (cart_id, sku, quantity, added_ms) "
                         f"VALUES ('{guest.cart}', '{OTHER_SKU}', 1, 1)"):
            work = pool.submit(guest.check_out)
            wait_for_blocked(shop, work)
        answer = work.result(30)
    assert answer.status == 409 and answer.json["code"] == "CONFLICT", answer.text
    assert run_sql(shop, "SELECT id FROM order_order") == []
    assert len(guest.show().json["lines"]) == 2
    assert guest.check_out().status == 201
    assert shop.stop() == 0


@pytest.mark.skipif(database_kind() != "postgresql", reason="SQLite has one writer at a time")
def test_a_line_that_is_added_while_the_order_is_written_finds_the_cart_ordered(make_shop):
    shop = make_shop().start()
    stock_products(shop, 1)
    guest = Guest(shop)
    assert guest.add(SKU).status == 200
    tab = Client(shop)
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        with transaction(shop, "LOCK TABLE order_saga IN SHARE MODE"):  # the order's second statement waits
            ordered = pool.submit(guest.check_out)
            wait_for_blocked(shop, ordered)
            added = pool.submit(tab.post, f"/api/v1/carts/{guest.cart}/lines", {"sku": OTHER_SKU, "quantity": 1},
                                x_cart_token=guest.token)
            wait_for_blocked(shop, added, waiting=2)
        assert ordered.result(30).status == 201
        assert added.result(30).status == 409, added.result().text
    assert run_sql(shop, f"SELECT sku FROM order_cart_line WHERE cart_id = '{guest.cart}'") == [(SKU,)]
    assert shop.stop() == 0


def test_a_cart_can_be_ordered_again_after_its_order_was_cancelled(make_shop):
    shop = make_shop().start()
    guest = Guest(shop)
    assert guest.add(SKU).status == 200
    assert guest.check_out("tok_declined").status == 402
    assert guest.check_out().status == 201
    assert guest.add(SKU).status == 409
    assert shop.stop() == 0


# ---- Lists ----

def test_a_list_begins_with_the_newest_whatever_texts_are_ordered_by(make_shop):
    """On PostgreSQL with the collation of a language "~" stands before every letter."""
    shop = make_shop(seed=False)
    shop.config.write_text(shop.config.read_text().replace("user = {}", f'user = {{ owner_password = "{PASSWORD}" }}'))
    shop.prepare().start()
    ids = [buy(shop, SKU).json["order"]["id"] for _ in range(3)]
    for _ in ids:
        wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: len(run_sql(shop, "SELECT id FROM notification_delivery WHERE state = 'sent'")) == 3)
    login = Client(shop).post("/api/v1/sessions", {"email": "owner@example.com", "password": PASSWORD})
    staff = {"authorization": f"Bearer {login.json['session']}"}
    for path, name in (("/api/v1/orders", "id"), ("/api/v1/deliveries", "aggregate")):
        first = Client(shop).get(f"{path}?limit=2", **staff).json
        rest = Client(shop).get(f"{path}?limit=2&cursor={first['next_cursor']}", **staff).json
        listed = [item[name] for item in first["items"] + rest["items"]]
        assert sorted(listed) == sorted(ids), path
        assert name == "aggregate" or listed == ids[::-1]
    assert shop.stop() == 0


# ---- Addresses ----

@pytest.mark.parametrize("email", ["john.@example.com", "anna@foo_bar.com", "a..b@example.com",
                                   "j\u00f6rg@example.com", "ada@b\u00fccher.example"])
def test_an_address_that_no_mail_reaches_is_refused_everywhere(shop, email):
    """At the checkout it would be paid and never confirmed; of an account it could not check out."""
    guest = Guest(shop)
    guest.add(SKU)
    answer = guest.check_out(email=email)
    assert answer.status == 422 and [e["field"] for e in answer.json["errors"]] == ["email"], answer.text
    account = Client(shop).post("/api/v1/users", {"email": email, "password": PASSWORD, "name": ""})
    assert account.status == 422 and [e["field"] for e in account.json["errors"]] == ["email"], account.text


def test_an_address_with_every_character_that_is_allowed_gets_its_mail(shop):
    email = new_email().replace("@example.com", ".!#$%&'*+-/=?^_`{|}~@xn--bcher-kva.example")
    account = Client(shop).post("/api/v1/users", {"email": email, "password": PASSWORD, "name": ""})
    assert account.status == 201, account.text
    guest = Guest(shop)
    guest.add(SKU)
    assert guest.check_out(email=email).status == 201
    assert wait_for_mail(shop, email)
    assert read_mails(shop)


def test_an_older_account_with_such_an_address_still_logs_in(make_shop):
    shop = make_shop().start()
    who = {"email": new_email(), "password": PASSWORD, "name": ""}
    assert Client(shop).post("/api/v1/users", who).status == 201
    run_sql(shop, f"UPDATE user_account SET email = 'j\u00f6rg@example.com' WHERE email = '{who['email']}'")
    login = {"email": " J\u00f6rg@Example.COM", "password": PASSWORD}
    assert Client(shop).post("/api/v1/sessions", login).status == 201
    assert shop.stop() == 0


# ---- Tokens ----

def tables_with(shop: Shop, text: str) -> set[str]:
    names = run_sql(shop, "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
                    if shop.database else "SELECT name FROM sqlite_master WHERE type = 'table'")
    return {name for (name,) in names if any(text in cell for row in run_sql(shop, f"SELECT * FROM {name}")
                                             for cell in row)}


def test_once_the_mail_has_left_only_the_reply_for_repeats_has_the_token(make_shop):
    """plugins/order/README.md, "Guest tokens"."""
    shop = make_shop().start()
    guest = Guest(shop)
    assert guest.add(SKU).status == 200
    token = guest.check_out().json["order"]["token"]
    assert wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: not run_sql(shop, "SELECT 1 FROM stoa_bus UNION ALL SELECT 1 FROM stoa_outbox UNION ALL "
                                         "SELECT 1 FROM order_saga WHERE step <> 'done'"))
    assert tables_with(shop, guest.cart) >= {"order_cart", "order_order", "order_saga"}
    assert tables_with(shop, token) == {"stoa_journal"}
    assert tables_with(shop, guest.token) == set()
    assert shop.stop() == 0


# ---- Books ----

def test_a_refund_leaves_the_books_in_agreement(make_shop):
    shop = make_shop().start()
    assert buy(shop, SKU).status == 201
    assert buy(shop, SKU).status == 201
    wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: not run_sql(shop, "SELECT 1 FROM stoa_bus UNION ALL SELECT 1 FROM stoa_outbox"))
    assert shop.stop() == 0
    gross = shop.audit()["totals"]["order"]["paid_minus_refunds"]
    key = run_sql(shop, "SELECT MIN(pay_key) FROM payment_intent")[0][0]
    run_sql(shop, f"UPDATE payment_intent SET refunded = 100 WHERE pay_key = '{key}'")
    run_sql(shop, f"UPDATE payment_sandbox_charge SET refunded = 100 WHERE charge_key = '{key}'")
    totals = shop.audit()["totals"]
    assert totals["order"]["paid_minus_refunds"] == totals["payment"]["captured"] == gross - 100
    run_sql(shop, f"UPDATE payment_intent SET refunded = 0 WHERE pay_key = '{key}'")
    found = json.loads(shop.cli("audit", "--json", check=False).stdout)["findings"]
    assert "money_differs" in {f["code"] for f in found}
