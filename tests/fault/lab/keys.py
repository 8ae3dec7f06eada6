"""R4: one Idempotency-Key, many requests, and a day between them.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import glob

from support.client import Client

from . import books
from .books import expect
from .jobs import Job
from .lane import Lane
from .shoppers import Purchase

NEEDS_SQL = True
ALONE = False
COPIES = 50
DAY_S = 24 * 3600
DELETED_EVERY_S = 600  # old rows of the journal
AROUND_S, STEP_S = 10, 2
NOTICED_S = 0.6  # the shop looks at its clock at least twice a second
LIBRARY = "/usr/lib/*/faketime/libfaketimeMT.so.1"


def send(lane: Lane, purchase: Purchase, **changes):
    client = Client(lane.shop)
    answer = client.post("/api/v1/checkouts", {**purchase.request, **changes},
                         x_cart_token=purchase.guest.token, idempotency_key=purchase.key)
    client.close()
    return answer


def storm(lane: Lane) -> tuple[Purchase, bytes, dict]:
    """COPIES of one checkout at once; returns the purchase and its one answer."""
    purchase = lane.purchases(1)[0]
    with concurrent.futures.ThreadPoolExecutor(COPIES) as pool:
        answers = list(pool.map(lambda _: send(lane, purchase), range(COPIES)))
    made = [a for a in answers if a.status == 201]
    waiting = [a for a in answers if a.status == 409]
    codes = {a.json["code"] for a in waiting}
    expect(len(made) + len(waiting) == COPIES, f"answers: {sorted({a.status for a in answers})}")
    expect(len(made) >= 1, "none of the copies was answered")
    expect(codes <= {"IN_FLIGHT"}, f"a copy was told {sorted(codes)}")
    expect(len({a.body for a in made}) == 1, "the answers differ")
    return purchase, made[0].body, {"made": len(made), "waiting": len(waiting)}


def expect_same(lane: Lane, purchase: Purchase, body: bytes, when: str) -> None:
    again = send(lane, purchase)
    expect(again.status == 201 and again.body == body, f"{when}: {again.status} {again.text[:200]}")
    other = send(lane, purchase, email="other@example.com")
    expect(other.status == 422 and other.json["code"] == "KEY_REUSED",
           f"{when}, another body: {other.status} {other.text[:200]}")


class Clock:
    """The shop's clock, all of it, from a file that libfaketime reads again each time."""

    def __init__(self, lane: Lane):
        library = glob.glob(LIBRARY)
        expect(bool(library), "libfaketime is not installed (package faketime)")
        self.file = lane.folder / "clock"
        self.env = {"LD_PRELOAD": library[0], "FAKETIME_TIMESTAMP_FILE": str(self.file),
                    "FAKETIME_NO_CACHE": "1"}

    def set(self, ahead_s: int) -> None:
        part = self.file.with_suffix(".part")
        part.write_text(f"+{ahead_s}\n")
        part.rename(self.file)


def pass_a_day(lane: Lane) -> None:
    """Up to a minute before the end. On the way the shop deletes old rows, in steps so small that its
    leases do not run out."""
    clock = Clock(lane)
    lane.kill()
    begin = DAY_S - 60 - DELETED_EVERY_S - 2 * AROUND_S
    clock.set(begin)
    lane.start(env=clock.env)
    for ahead in range(-AROUND_S, AROUND_S + 1, STEP_S):
        clock.set(begin + DELETED_EVERY_S + ahead)
        lane.pause(NOTICED_S)
    clock.set(DAY_S - 60)


def key_job(job: Job, storms: int) -> dict:
    figures = {"storms": storms, "made": 0, "waiting": 0}
    with Lane(job, rate=50 if job.short else 200) as lane:
        bought = []
        for _ in range(storms):
            purchase, body, counts = storm(lane)
            expect_same(lane, purchase, body, "at once")
            bought.append((purchase, body))
            for name, count in counts.items():
                figures[name] += count
        lane.settle()
        pass_a_day(lane)
        for purchase, body in bought:
            expect_same(lane, purchase, body, "after 24 h - 1 min")
        kept = books.ask(lane.shop, "SELECT COUNT(*) AS n FROM stoa_journal WHERE state = 'done'"
                                    " AND resource_id IS NOT NULL")[0]["n"]
        expect(kept == storms, f"{kept} of {storms} keys are kept")
        lane.kill()
        lane.start()
        return lane.finish() | figures


def make_jobs(short: bool) -> list[tuple]:
    return [("storms", key_job, (3 if short else 20,))]


def judge(total: dict) -> str:
    return (f"{total['storms']} × {COPIES} equal checkouts: {total['made']} equal answers, "
            f"{total['waiting']} × 409 in flight, one order and charge each; 422 for another body; "
            "the same after 24 h - 1 min")
