"""R18: SIGTERM under load cuts nobody off.
SPDX-License-Identifier: Apache-2.0"""
import http.client
import random
import signal
import threading
import time

from support.account import IDLE_S
from support.client import Client

from . import books
from .books import expect
from .jobs import Job
from .lane import BROWSED, Lane, spread
from .shoppers import CUT, Purchase

NEEDS_SQL = True
ALONE = False
EXIT_S = 12.0
BUYERS, READERS = 4, 4
CARTS = 40  # of each buyer; more than can be bought before the end


class Visitor:
    """Asks one thing after the other on a kept connection until the shop takes no new ones."""

    def __init__(self, lane: Lane, purchases: list[Purchase]):
        self.lane, self.purchases = lane, purchases
        self.answered, self.bought, self.cut = 0, [], []
        self.on_kept = False
        self.asked = [time.monotonic()] * 2  # when the request before this one began, and when this one did
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        client = Client(self.lane.shop, timeout=20)
        try:
            while True:
                self._ask(client)
        except ConnectionRefusedError:
            pass  # the end of a drain as it should be
        except CUT as error:
            if not self._seemed_idle(error):
                self.cut.append(f"{error!r} on a {'kept' if self.on_kept else 'new'} connection")
        client.close()

    def _seemed_idle(self, error: Exception) -> bool:
        """This thread stood still between two requests, and no byte of an answer came."""
        idle = time.monotonic() - self.asked[0]
        return isinstance(error, (http.client.RemoteDisconnected, BrokenPipeError, ConnectionResetError)) and \
            self.on_kept and idle > IDLE_S / 2

    def _ask(self, client: Client) -> None:
        self.on_kept = client.connection is not None
        self.asked = [self.asked[1], time.monotonic()]
        if not self.purchases:
            answer = client.get(BROWSED[self.answered % len(BROWSED)])
        else:
            purchase = self.purchases.pop()
            self.bought.append(purchase)
            answer = client.post("/api/v1/checkouts", purchase.request,
                                 x_cart_token=purchase.guest.token, idempotency_key=purchase.key)
            purchase.status = answer.status
        self.answered += 1
        expect(answer.status in (200, 201, 503), f"{answer.status} {answer.text[:200]}")


def drain_once(lane: Lane, chance: random.Random) -> dict:
    visitors = [Visitor(lane, [Purchase(lane).prepare() for _ in range(CARTS)]) for _ in range(BUYERS)]
    visitors += [Visitor(lane, []) for _ in range(READERS)]
    lane.pause(chance.uniform(0.1, 0.5))
    began = time.monotonic()
    lane.shop.process.send_signal(signal.SIGTERM)
    code = lane.shop.wait(EXIT_S + 10)
    seconds = time.monotonic() - began
    for visitor in visitors:
        visitor.thread.join(30)
    cut = [c for v in visitors for c in v.cut]
    expect(code == 0, f"the shop ended with {code}: {lane.shop.talk()[-500:]}")
    expect(not cut, f"{len(cut)} answers were cut: {cut[:2]}")
    bought = [p for v in visitors for p in v.bought if p.status]
    lane.start()
    lane.settle()
    written = {o["email"].partition("@")[0] for o in books.ask(lane.shop, books.ORDERS)}
    lost = [p.key for p in bought if p.status == 201 and p.key not in written]
    expect(not lost, f"{len(lost)} answered orders are lost")
    lane.keys += [p.key for v in visitors for p in v.bought if p.key in written]
    return {"exits": [seconds], "answered": sum(v.answered for v in visitors)}


def drain_job(job: Job, times: int) -> dict:
    chance = random.Random(18)
    figures: dict = {"exits": [], "answered": 0}
    with Lane(job) as lane:
        for _ in range(times):
            for name, value in drain_once(lane, chance).items():
                figures[name] += value
        return lane.finish() | figures


def make_jobs(short: bool) -> list[tuple]:
    return [("drains", drain_job, (2 if short else 10,))]


def judge(total: dict) -> str:
    expect(max(total["exits"]) <= EXIT_S, f"the end took {max(total['exits']):.1f} s")
    return (f"{len(total['exits'])} × SIGTERM: {total['answered']} answers, 0 cut; ended after "
            f"{spread(total['exits'])} s, {total['orders']} orders")
