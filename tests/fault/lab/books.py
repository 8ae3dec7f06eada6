"""Reading a shop's database from outside, and what has to be true of it in the end.
SPDX-License-Identifier: Apache-2.0"""
import collections
import json
import sqlite3
import subprocess

from support.mail import read_mails

POLL_S = 0.05  # the database has no event that both kinds could be waited for

OPEN_STATES = """
SELECT (SELECT COUNT(*) FROM order_saga WHERE step NOT IN ('done', 'cancelled')) AS orders,
       (SELECT COUNT(*) FROM stoa_outbox) + (SELECT COUNT(*) FROM stoa_bus WHERE state = 'ready') AS events
"""
ORDERS = """
SELECT o.id, o.email, o.total, s.step,
       (SELECT COUNT(*) FROM payment_intent i JOIN payment_sandbox_charge c ON c.charge_key = i.pay_key
        WHERE i.order_id = o.id AND c.state = 'captured') AS captures,
       (SELECT COALESCE(SUM(c.amount - c.refunded), 0) FROM payment_intent i
        JOIN payment_sandbox_charge c ON c.charge_key = i.pay_key
        WHERE i.order_id = o.id AND c.state = 'captured') AS captured
FROM order_order o JOIN order_saga s ON s.order_id = o.id
"""
STOCK = """
SELECT sku, initial, received, available, reserved, sold FROM product_stock
WHERE initial + received <> available + reserved + sold OR available < 0 OR reserved < 0 OR sold < 0
"""
SOLD = "SELECT COALESCE(SUM(sold), 0) AS sold, COALESCE(SUM(reserved), 0) AS reserved FROM product_stock"
DEAD = "SELECT event_id, subscriber, event, attempt, error FROM stoa_bus WHERE state = 'dead'"


class Broken(AssertionError):
    """Something that must hold does not."""


def expect(holds: bool, what: str) -> None:
    if not holds:
        raise Broken(what)


def _ask_sqlite(shop, statement: str) -> list[dict]:
    base = sqlite3.connect(shop.data / "stoa.db", timeout=10)
    try:
        base.row_factory = sqlite3.Row
        rows = [dict(row) for row in base.execute(statement)]
        base.commit()
        return rows
    finally:
        base.close()


def _ask_postgresql(shop, statement: str) -> list[dict]:
    is_query = statement.lstrip().upper().startswith("SELECT")
    if is_query:
        statement = f"SELECT COALESCE(json_agg(q), '[]') FROM ({statement.strip().rstrip(';')}) q"
    done = subprocess.run(["psql", "-XqAt", shop.database, "-c", statement], capture_output=True,
                          text=True, timeout=30, check=False)
    if done.returncode != 0:
        raise Broken(f"psql: {done.stderr.strip()}")
    return json.loads(done.stdout) if is_query else []


def ask(shop, statement: str) -> list[dict]:
    """Runs one statement, by another connection than the shop's."""
    return (_ask_postgresql if shop.database else _ask_sqlite)(shop, statement)


def add_stock(shop, pieces: int) -> None:
    """As if the shop had begun with that much more of everything: the books stay right."""
    ask(shop, f"UPDATE product_stock SET initial = initial + {pieces}, available = available + {pieces}")


def is_settled(shop) -> bool:
    """No order is under way, and every event has arrived."""
    state = ask(shop, OPEN_STATES)[0]
    return state["orders"] == 0 and state["events"] == 0


def _check_mails(shop, orders: list[dict]) -> None:
    mails = collections.Counter(m["to"].strip() for m in read_mails(shop))
    ids = collections.Counter(m["message-id"] for m in read_mails(shop))
    expect(not ids or max(ids.values()) == 1, "two mails have the same Message-ID")
    for order in orders:
        wanted = 1 if order["step"] == "done" else 0
        expect(mails[order["email"]] == wanted,
               f"order {order['id']} ({order['step']}) has {mails[order['email']]} mails, not {wanted}")


def check(shop, keys: list[str], dead: int = 0) -> dict:
    """Every invariant of money, stock and mail; keys: of all checkouts there were. Returns figures."""
    orders = ask(shop, ORDERS)
    per_key = collections.Counter(o["email"].partition("@")[0] for o in orders)
    for key in keys:
        expect(per_key[key] == 1, f"key {key} has {per_key[key]} orders")
    expect(len(orders) == len(keys), f"{len(orders)} orders of {len(keys)} keys")
    for order in orders:
        paid = order["step"] == "done"
        expect(order["step"] in ("done", "cancelled"), f"order {order['id']} is left at {order['step']}")
        expect(order["captures"] == int(paid) and order["captured"] == paid * order["total"],
               f"order {order['id']} ({order['step']}, {order['total']}) has {order['captures']} captures"
               f" of {order['captured']} in all")
    wrong = ask(shop, STOCK)
    expect(not wrong, f"stock does not add up: {wrong[:1]}")
    paid = sum(o["step"] == "done" for o in orders)
    sold = ask(shop, SOLD)[0]
    expect(sold["reserved"] == 0, f"{sold['reserved']} pieces are reserved for nobody")
    expect(sold["sold"] == paid, f"{sold['sold']} pieces sold by {paid} orders of one each")
    buried = ask(shop, DEAD)
    expect(len(buried) == dead, f"{len(buried)} dead events, not {dead}: {buried[:1]}")
    if dead == 0:
        _check_mails(shop, orders)
    return {"orders": len(orders), "paid": paid}


def audit(shop) -> dict:
    """`stoa audit`, which must find nothing."""
    done = shop.cli("audit", "--json", check=False)
    try:
        report = json.loads(done.stdout)
    except ValueError:
        raise Broken(f"stoa audit: {done.returncode} {done.stderr.strip()[-300:]}") from None
    expect(report["findings"] == [], f"the auditor: {report['findings'][:2]}")
    return report
