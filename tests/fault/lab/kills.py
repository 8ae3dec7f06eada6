"""R1: the process is killed at each step of a checkout and between them.
SPDX-License-Identifier: Apache-2.0"""
import time

from . import books
from .books import expect
from .jobs import Job
from .lane import Lane, spread
from .shoppers import Purchase

NEEDS_SQL = True
ALONE = False
RECOVERED_S = 10.0
REACHED_S = 60.0
BATCH = 5  # checkouts at once; the k-th of them to pass the point is the one that kills

BUY = ["checkout.place.before", "checkout.place.inside", "checkout.place.after",
       "checkout.reserve.before", "checkout.reserve.after", "checkout.save.pay.before",
       "checkout.save.pay.after", "checkout.open.before", "payment.open.before", "payment.open.sent",
       "payment.open.charged", "payment.open.after", "checkout.open.after",
       "checkout.save.commit.before", "checkout.save.inside", "checkout.save.commit.after",
       "checkout.commit.before", "checkout.commit.after", "checkout.save.done.before",
       "checkout.save.done.after", "mail.send.before", "mail.send.after", "mail.noted"]
DROP = ["checkout.save.ask.before", "checkout.save.ask.after", "checkout.status.before",
        "checkout.status.after"]
CONFIRM = ["checkout.save.action.before", "checkout.save.action.after", "payment.confirm.before",
           "payment.confirm.charged", "payment.confirm.after"]
CANCEL = ["checkout.save.void.before", "checkout.save.void.after", "checkout.void.before",
          "payment.void.before", "payment.void.sent", "payment.void.cancelled",
          "checkout.void.after", "checkout.save.release.before", "checkout.save.release.after",
          "checkout.release.before", "checkout.release.after", "checkout.save.cancelled.before",
          "checkout.save.cancelled.after"]
GONE = ["checkout.give_up.before", "checkout.give_up.after"]
# What the shoppers do so that the points are passed: points, payment token, second step.
STORIES = {"buy": (BUY, "tok_ok", ""), "drop": (DROP, "tok_charge_drop", ""),
           "confirm": (CONFIRM, "tok_3ds", "confirm"), "cancel": (CANCEL, "tok_3ds", "cancel"),
           "gone": (GONE, "tok_ok", "")}
SWEPT = ["sql.commit.before", "sql.commit.after"]
SWEPT_LONG = ["sql.exec"]
STRIDE = 3  # jobs that share one sweep

# ./dev fault --short: a shorter lease, so that a killed order is not waited for so long.
SHORT_LEASE = "lease_ms = 1500, payment_timeout_ms = 1000"


def lane_of(job: Job) -> Lane:
    return Lane(job, rate=50 if job.short else 200, order=SHORT_LEASE if job.short else "")


def recover(lane: Lane, purchases: list[Purchase]) -> None:
    """Starts the killed shop and waits until every order is final and every event has arrived."""
    lane.start()
    ready = time.monotonic()
    for purchase in purchases:
        purchase.join()
    lane.recoveries.append(lane.settle(ready))


def kill_at(lane: Lane, story: str, point: str, count: int, nth: int) -> None:
    _, token, act = STORIES[story]
    purchases = lane.purchases(count, token, act)
    lane.kill()
    if story == "gone":
        return kill_a_recovery(lane, purchases, point)
    lane.start_doomed(f"{point}=kill@{nth}")
    for purchase in purchases:
        purchase.start()
    expect(lane.await_kill(REACHED_S), f"{point} was not passed {nth} times")
    recover(lane, purchases)


def kill_a_recovery(lane: Lane, purchases: list[Purchase], point: str) -> None:
    """The buyers do not come back before recovery has given their orders up, and was killed in it."""
    lane.present.clear()
    lane.start_doomed("checkout.place.after=kill")
    for purchase in purchases:
        purchase.start()
    expect(lane.await_kill(REACHED_S), "checkout.place.after was not passed")
    lane.start_doomed(f"{point}=kill")
    expect(lane.await_kill(REACHED_S), f"{point} was not passed")
    lane.start()
    lane.recoveries.append(lane.settle())
    lane.present.set()
    for purchase in purchases:
        purchase.join()
    lane.settle()


def points_job(job: Job, story: str, points: list[str]) -> dict:
    with lane_of(job) as lane:
        for point in points:
            for nth in [3] if job.short else [1 + i % BATCH for i in range(50 // BATCH)]:
                kill_at(lane, story, point, BATCH, 1 if point in GONE else nth)
        return lane.finish() | {"points": len(points)}


def sweep_job(job: Job, place: str, first: int) -> dict:
    """Kills at the n-th passage of place, for n = first, first + STRIDE, … until it is not reached."""
    nth, killed = first, True
    with lane_of(job) as lane:
        while killed:
            purchases = lane.purchases(1)
            lane.kill()
            if lane.start_doomed(f"{place}=kill@{nth}"):
                purchases[0].start()
                killed = not ends_alive(lane, purchases[0])
            else:
                purchases[0].start()
            recover(lane, purchases)
            nth += STRIDE
        return lane.finish() | {"swept": 1}


def ends_alive(lane: Lane, purchase: Purchase) -> bool:
    """Whether the checkout and all that follows from it went through without a kill."""
    while not lane.await_kill(books.POLL_S):
        if not purchase.thread.is_alive() and books.is_settled(lane.shop):
            lane.kill()
            return True
    return False


def make_jobs(short: bool) -> list[tuple]:
    """(name, work, args) of each job."""
    made: list[tuple] = []
    share = 6 if short else 2
    for story, (points, _, _) in STORIES.items():
        for i in range(0, len(points), share):
            made.append((points[i], points_job, (story, points[i:i + share])))
    for place in SWEPT + ([] if short else SWEPT_LONG):
        made += [(place, sweep_job, (place, first)) for first in range(1, STRIDE + 1)]
    return made


def judge(total: dict) -> str:
    expect(max(total["recoveries"]) <= RECOVERED_S,
           f"recovered only after {max(total['recoveries']):.1f} s")
    return (f"{total.get('points', 0)} points and {total.get('swept', 0)} sweeps, {total['kills']} kills, {total['orders']} orders, "
            f"0 lost, 0 double-charged; ready {spread(total['starts'])} s, "
            f"recovered {spread(total['recoveries'])} s (median/max)")
