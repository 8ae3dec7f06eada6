"""Where money, stock and mail could go wrong: nodes, leases, clocks, providers, keys.
SPDX-License-Identifier: Apache-2.0"""
import json
import subprocess
import time
import uuid

import pytest
from support.client import Client, Guest, buy, new_email
from support.control import wait_until
from support.database import run_sql
from support.mail import read_mails, wait_for_mail
from support.page import Browser
from support.shop import Shop, database_kind

SKU = "AEG-MUG"
HOUR_MS = 3600 * 1000

postgresql_only = pytest.mark.skipif(database_kind() != "postgresql", reason="one process owns SQLite")


def step_of(shop: Shop, order_id: str) -> str:
    return run_sql(shop, f"SELECT step FROM order_saga WHERE order_id = '{order_id}'")[0][0]


def findings(shop: Shop) -> list[dict]:
    return json.loads(shop.cli("audit", "--json", check=False).stdout)["findings"]


# ---- Payment ----

def test_a_payment_whose_answer_is_lost_is_pending_and_then_paid(make_shop):
    """docs/adr/0006: the money may have gone, so the answer is neither a success nor a failure."""
    shop = make_shop().start()
    answer = buy(shop, SKU, payment="tok_charge_drop")
    assert answer.status == 202 and answer.json["payment"] == {"state": "pending"}
    order = answer.json["order"]
    wait_until(lambda: step_of(shop, order["id"]) == "done")
    shown = Client(shop).get(f"/api/v1/orders/{order['id']}", x_order_token=order["token"])
    assert shown.json["state"] == "paid"
    assert shop.stop() == 0
    shop.audit()


def test_before_anybody_was_asked_for_money_the_same_request_goes_on(make_shop):
    """docs/adr/0006: stock did not answer."""
    shop = make_shop().start(env={"STOA_FAULT": "product.reserve.before=error:STORE@1!"})
    guest = Guest(shop)
    guest.add(SKU)
    key = uuid.uuid4().hex
    answer = guest.check_out(key=key)
    assert answer.status == 503 and answer.headers["retry-after"], answer.text
    assert run_sql(shop, "SELECT step FROM order_saga") == [("reserve",)]
    again = guest.check_out(key=key)
    assert again.status == 201, again.text
    assert len(run_sql(shop, "SELECT id FROM order_order")) == 1
    wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: run_sql(shop, "SELECT 1 FROM stoa_bus") == [])
    assert shop.stop() == 0
    shop.audit()


def test_an_order_is_not_given_up_because_its_provider_is_another_now(make_shop):
    """What the new provider says of a key says nothing about the old one's money."""
    shop = make_shop().start()
    answer = buy(shop, SKU, payment="tok_charge_drop")
    order_id = answer.json["order"]["id"]
    shop.kill()
    if step_of(shop, order_id) != "ask":
        pytest.skip("recovery was faster than the kill")
    run_sql(shop, f"UPDATE order_saga SET provider = 'other', deadline_ms = 0 WHERE order_id = '{order_id}'")
    shop.start()
    wait_until(lambda: int(run_sql(shop, "SELECT tries FROM order_saga "
                                         f"WHERE order_id = '{order_id}'")[0][0]) >= 2)
    assert step_of(shop, order_id) == "ask"
    run_sql(shop, f"UPDATE order_saga SET provider = 'sandbox', deadline_ms = 0 WHERE order_id = '{order_id}'")
    wait_until(lambda: step_of(shop, order_id) == "done")
    assert shop.stop() == 0


def test_an_order_that_tries_in_vain_is_found(make_shop):
    shop = make_shop().start()
    order_id = buy(shop, SKU, payment="tok_3ds").json["order"]["id"]
    assert shop.stop() == 0
    assert findings(shop) == []
    run_sql(shop, "UPDATE order_saga SET step = 'ask', tries = 11 WHERE order_id = "
                  f"'{order_id}'")
    assert [f["code"] for f in findings(shop)] == ["order.stuck"]


# ---- Clocks ----

def test_a_lease_from_before_the_clock_was_set_back_is_not_waited_for(make_shop):
    shop = make_shop().start()
    order_id = buy(shop, SKU, payment="tok_charge_drop").json["order"]["id"]
    shop.kill()
    later = int(time.time() * 1000) + HOUR_MS
    run_sql(shop, f"UPDATE order_saga SET step = 'ask', lease_owner = 'gone', lease_until = {later}, "
                  f"deadline_ms = {later} WHERE order_id = '{order_id}'")
    shop.start()
    wait_until(lambda: step_of(shop, order_id) == "done")
    assert shop.stop() == 0


# ---- Idempotency ----

def test_a_short_key_of_nobody_is_refused(shop):
    """Two strangers behind one address may both call their first request "1"."""
    client = Client(shop)
    assert client.post("/api/v1/carts", {}, idempotency_key="1").status == 422
    assert client.post("/api/v1/carts", {}, idempotency_key=uuid.uuid4().hex).status == 201
    guest = Guest(shop)
    added = guest.client.post(f"/api/v1/carts/{guest.cart}/lines", {"sku": SKU, "quantity": 1},
                              x_cart_token=guest.token, idempotency_key="1")
    assert added.status == 200, added.text


def test_a_key_is_worth_nothing_without_its_cart_token(shop):
    guest, other = Guest(shop), Guest(shop)
    guest.add(SKU)
    other.add(SKU)
    key = uuid.uuid4().hex
    body = guest.order()
    assert guest.check_out(key=key).status == 201
    stolen = other.client.post("/api/v1/checkouts", body, x_cart_token=other.token, idempotency_key=key)
    assert stolen.status == 404 and "token" not in stolen.text
    assert Client(shop).post("/api/v1/checkouts", body, idempotency_key=key).status == 404


def test_no_trace_of_a_password_is_kept_for_repeats(make_shop):
    """A plain hash of the body would undo the slow one of the password."""
    shop = make_shop().start()
    body = {"email": new_email(), "password": "correct horse", "name": "Ada"}
    key = uuid.uuid4().hex
    assert Client(shop).post("/api/v1/users", body, idempotency_key=key).status == 201
    assert Client(shop).post("/api/v1/users", body, idempotency_key=key).status == 409
    assert run_sql(shop, f"SELECT key FROM stoa_journal WHERE key = '{key}'") == []
    assert shop.stop() == 0


# ---- Mail ----

def break_mail(shop: Shop) -> None:
    """No file can be made in a file."""
    folder = shop.of("notification").data / "mail"
    if folder.exists():
        folder.rename(folder.with_suffix(".away"))
    folder.write_text("")


def mend_mail(shop: Shop) -> None:
    folder = shop.of("notification").data / "mail"
    folder.unlink()
    folder.with_suffix(".away").rename(folder)


def test_mails_go_out_once_the_mail_server_is_back(make_shop):
    """However long it was away: no dead letters, nobody has to press a button."""
    shop = make_shop().start()
    buy(shop, SKU)
    wait_for_mail(shop, "ada@example.com")
    break_mail(shop)
    order_id = buy(shop, SKU).json["order"]["id"]
    wait_until(lambda: run_sql(shop, "SELECT 1 FROM notification_delivery WHERE state = 'failed'") != [])
    wait_until(lambda: run_sql(shop, "SELECT 1 FROM stoa_bus") == [])
    mend_mail(shop)
    run_sql(shop, "UPDATE notification_delivery SET changed_ms = 0 WHERE state = 'failed'")
    wait_until(lambda: run_sql(shop, f"SELECT state FROM notification_delivery WHERE aggregate = '{order_id}'")
               == [("sent",)])
    assert len(read_mails(shop)) == 2
    assert shop.stop() == 0
    shop.audit()


@postgresql_only
def test_a_slow_delivery_is_not_made_by_a_second_node_as_well(make_shop):
    """The lease is renewed while a delivery takes longer than a lease."""
    first = make_shop().start()
    second = make_shop(seed=False)
    second.config.write_text(first.config.read_text())
    second.database = first.database
    second.start()
    buy(first, SKU)
    wait_until(lambda: read_mails(first) + read_mails(second) != [])
    before = len(read_mails(first) + read_mails(second))
    lock = subprocess.Popen(["psql", "-q", first.database, "-c",
                             "BEGIN; LOCK TABLE notification_delivery IN SHARE MODE; SELECT pg_sleep(8); COMMIT"],
                            stdout=subprocess.DEVNULL)
    wait_until(lambda: run_sql(first, "SELECT 1 FROM pg_locks WHERE mode = 'ShareLock' AND granted "
                                      "AND relation = 'notification_delivery'::regclass") != [])
    buy(first, SKU)
    assert lock.wait(60) == 0
    wait_until(lambda: len(run_sql(first, "SELECT 1 FROM notification_delivery WHERE state = 'sent'")) == 2)
    assert len(read_mails(first) + read_mails(second)) == before + 1
    assert first.stop() == 0 and second.stop() == 0


def test_the_mailbox_uses_the_theme(make_shop):
    shop = make_shop(more='').start("--development")
    buy(shop, SKU)
    wait_for_mail(shop, "ada@example.com")
    browser = Browser(shop)
    page = browser.get("/mailbox")
    assert page.status == 200
    href = page.text.partition('rel="stylesheet" href="')[2].partition('"')[0]
    style = browser.get(href)
    assert style.status == 200 and style.headers["content-type"].startswith("text/css")
    assert shop.stop() == 0


# ---- The books ----

def test_a_paid_order_without_its_mail_is_found(make_shop):
    shop = make_shop().start()
    order_id = buy(shop, SKU).json["order"]["id"]
    wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: run_sql(shop, "SELECT 1 FROM stoa_bus") == [])
    assert shop.stop() == 0
    shop.audit()
    run_sql(shop, "DELETE FROM notification_delivery")
    run_sql(shop, f"UPDATE order_saga SET changed_ms = 0 WHERE order_id = '{order_id}'")
    assert [f["order_id"] for f in findings(shop) if f["code"] == "order.mail_missing"] == [order_id]


def test_a_charge_that_nobody_knows_of_is_found(make_shop):
    shop = make_shop().start()
    assert buy(shop, SKU).status == 201
    wait_for_mail(shop, "ada@example.com")
    wait_until(lambda: run_sql(shop, "SELECT 1 FROM stoa_bus") == [])
    assert shop.stop() == 0
    shop.audit()
    run_sql(shop, "INSERT INTO payment_sandbox_charge (charge_key, amount, currency, state, refunded, "
                  "created_ms) SELECT 'x', amount, currency, 'captured', 0, created_ms "
                  "FROM payment_sandbox_charge")
    assert {f["code"] for f in findings(shop)} == {"payment.unknown_charge", "money_differs"}


def test_stock_that_an_order_holds_for_ever_is_found(make_shop):
    shop = make_shop().start()
    order_id = buy(shop, SKU, payment="tok_3ds").json["order"]["id"]
    assert shop.stop() == 0
    assert findings(shop) == []
    run_sql(shop, f"UPDATE product_reservation SET expires_at = 1 WHERE order_id = '{order_id}'")
    assert [f["code"] for f in findings(shop)] == ["stock.held"]


def test_the_audit_of_many_orders_needs_little_memory(make_shop):
    """It goes through them in parts: 30,000 orders are more than one request may hold."""
    shop = make_shop()
    columns = ("number, cart_id, token_hash, customer_id, email, currency, subtotal, adjusted, shipping, "
               "tax, total, lines, adjustments, shipping_option, address, created_ms")
    line = json.dumps([{"sku": "A", "name": "n" * 1000, "amount": {"amount": 1, "currency": "EUR"}}])
    order = f"'', '', 'a@example.com', 'EUR', 1, 0, 0, 0, 1, '{line}', '[]', 'null', '{{}}', 0"
    ids, number = "'ord_' || substr('000000' || i, -6)", "i"
    series = ("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000) ")
    if shop.database:
        ids, number, series = "'ord_' || lpad(i::text, 6, '0')", "i::text", (
            "WITH n(i) AS (SELECT generate_series(1, 30000)) ")
    insert = f"INSERT INTO order_order (id, {columns}) {series} SELECT {ids}, {number}, {number}, {order} FROM n"
    saga = (f"INSERT INTO order_saga (order_id, cart_id, step, reason, attempt, tries, pay_key, provider, token, "
            "deadline_ms, expires_ms, lease_owner, lease_until, changed_ms) "
            "SELECT id, cart_id, 'cancelled', '', 0, 0, '', '', '', 0, 0, '', 0, 0 FROM order_order")
    for text in (insert, saga):
        run_sql(shop, text)
    report = shop.audit()
    assert report["totals"]["order"]["orders"] == 30000
