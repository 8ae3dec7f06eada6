"""R3: a hundred shoppers want the last ten pieces.
SPDX-License-Identifier: Apache-2.0"""
import statistics
import threading
import time

from support.client import Client

from . import books
from .books import expect
from .jobs import Job
from .lane import Lane, crowding, expect_within
from .shoppers import SKU

NEEDS_SQL = True
ALONE = True
SHOPPERS, PIECES, REFUSED_S = 100, 10, 1.0


class Racer:
    """A purchase with its connection open, waiting for the start."""

    def __init__(self, lane: Lane, barrier: threading.Barrier):
        self.purchase = lane.purchases(1)[0]
        self.client = Client(lane.shop)
        self.barrier = barrier
        self.status, self.code, self.seconds, self.error = 0, "", 0.0, ""
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        try:
            self.client.get("/livez")
            self.barrier.wait(60)
            began = time.monotonic()
            answer = self.client.post("/api/v1/checkouts", self.purchase.request,
                                      x_cart_token=self.purchase.guest.token,
                                      idempotency_key=self.purchase.key)
            self.seconds = time.monotonic() - began
            self.status, self.code = answer.status, (answer.json or {}).get("code", "")
        except Exception as error:  # counted by the round
            self.error = repr(error)
        self.client.close()


def set_stock(lane: Lane, pieces: int) -> None:
    books.ask(lane.shop, f"UPDATE product_stock SET initial = initial - available + {pieces},"
                         f" available = {pieces} WHERE sku = '{SKU}'")


def round_of(lane: Lane, number: int) -> dict:
    barrier = threading.Barrier(SHOPPERS + 1)
    racers = [Racer(lane, barrier) for _ in range(SHOPPERS)]
    set_stock(lane, PIECES)
    barrier.wait(60)
    for racer in racers:
        racer.thread.join(60)
    wrong = [r.error or f"{r.status} {r.code}" for r in racers
             if r.error or (r.status, r.code) not in ((201, ""), (409, "SOLD_OUT"))]
    expect(not wrong, f"round {number}: {len(wrong)} wrong answers, such as {wrong[:2]}")
    sold = [r for r in racers if r.status == 201]
    expect(len(sold) == PIECES, f"round {number}: {len(sold)} of {PIECES} pieces were sold")
    refused = [r.seconds for r in racers if r.status == 409]
    lane.settle()
    # Who was refused before anything was written has a key and no order.
    written = {o["email"].partition("@")[0] for o in books.ask(lane.shop, books.ORDERS)}
    lane.keys = [k for k in lane.keys if k in written]
    return {"refused": refused, "paid_s": [r.seconds for r in sold], "slowest": [max(refused)]}


def race_job(job: Job, rounds: int) -> dict:
    figures: dict = {"refused": [], "paid_s": [], "slowest": [], "crowding": [crowding()]}
    with Lane(job, rate=50 if job.short else 200) as lane:
        for number in range(1, rounds + 1):
            for name, seconds in round_of(lane, number).items():
                figures[name] += seconds
            set_stock(lane, 1000)
        return lane.finish() | figures | {"rounds": rounds}


def make_jobs(short: bool) -> list[tuple]:
    return [("rounds", race_job, (3 if short else 20,))]


def judge(total: dict) -> str:
    slowest = max(total["slowest"])
    # Of the rounds: whatever else this machine does for a moment is not the shop's.
    expect_within(statistics.median(total["slowest"]), REFUSED_S, max(total["crowding"]),
                  "in half of the rounds somebody was refused only after")
    return (f"{total['rounds']} rounds of {SHOPPERS} shoppers: {PIECES} sold in each, "
            f"{len(total['refused'])} × 409 within {slowest:.2f} s, sold within "
            f"{max(total['paid_s']):.2f} s, no other answer")
