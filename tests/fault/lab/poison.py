"""R10: a message that nobody can handle.
SPDX-License-Identifier: Apache-2.0"""
import json
import time

from . import books
from .books import expect
from .jobs import Job
from .lane import Lane, spread
from .shoppers import Purchase

NEEDS_SQL = True
ALONE = False
TRIES = 5
MAIL_S = 7.0  # the poison is in the queue for twice as long
SLOWLY = 'event_backoff = "1s"'
# Rows as a broken plugin might have emitted them: no JSON, JSON of another shape; of the latter the
# mail's handler keeps a record of its own.
POISON = [('{"broken', "evt_00000000000000000000000000", set()),
          ("[]", "evt_00000000000000000000000001", {"notification.failed"})]


def plant(lane: Lane, data: str, event_id: str) -> None:
    books.ask(lane.shop, "INSERT INTO stoa_outbox (id, event, aggregate, data, trace, created_at) VALUES"
                         f" ('{event_id}', 'order.paid', 'ord_poison', '{data}', '', {time.time_ns() // 10**6})")


def buy_meanwhile(lane: Lane, count: int) -> list[float]:
    """Orders while the poison is tried again and again; seconds until everything had arrived."""
    seconds = []
    for _ in range(count):
        purchase: Purchase = lane.purchases(1)[0]
        purchase.start().join()
        began = time.monotonic()
        while not any(o["email"] == f"{purchase.key}@example.com" for o in mailed(lane)):
            expect(time.monotonic() < began + MAIL_S, f"no mail after {MAIL_S} s: the queue stands")
            lane.pause(books.POLL_S)
        seconds.append(time.monotonic() - began)
    return seconds


def mailed(lane: Lane) -> list[dict]:
    return books.ask(lane.shop, "SELECT o.email FROM notification_delivery d"
                                " JOIN order_order o ON o.id = d.aggregate WHERE d.state = 'sent'")


def poison_job(job: Job, number: int, orders: int) -> dict:
    data, event_id, more = POISON[number]
    with Lane(job, rate=50 if job.short else 200, limits=SLOWLY) as lane:
        plant(lane, data, event_id)
        seconds = buy_meanwhile(lane, orders)
        lane.settle()
        dead = books.ask(lane.shop, books.DEAD)
        expect([(d["event_id"], d["attempt"]) for d in dead] == [(event_id, TRIES)],
               f"dead letters: {dead}")
        figures = lane.finish(dead=1)
        expect_report(lane, {"events_stuck"} | more)
        return figures | {"mail_s": seconds, "dead": len(dead)}


def expect_report(lane: Lane, codes: set[str]) -> None:
    """The auditor tells of the dead letter, and of nothing else."""
    report = json.loads(lane.shop.cli("audit", "--json", check=False).stdout)
    told = [f for f in report["findings"] if f.get("detail") == "dead" and f.get("count") == 1]
    expect(len(told) == 1 and {f["code"] for f in report["findings"]} == codes,
           f"the auditor says {report['findings']}")


def make_jobs(short: bool) -> list[tuple]:
    return [(f"poison {i}", poison_job, (i, 10 if short else 50)) for i in range(len(POISON))]


def judge(total: dict) -> str:
    return (f"{len(POISON)} poisons, each dead after {TRIES} tries, 1 dead letter each, told by the "
            f"auditor; {total['orders']} orders meanwhile, mail after {spread(total['mail_s'])} s")
