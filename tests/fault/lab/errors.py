"""CALLS: the n-th database call of a checkout fails, for every n.
SPDX-License-Identifier: Apache-2.0"""
from support.control import metric

from .books import expect
from .jobs import Job
from .lane import Lane
from .shoppers import Purchase

NEEDS_SQL = True
ALONE = False
# Place and how many jobs share its sweep. A commit that fails "after" was made, and nobody knows.
PLACES = {"sql.exec": 4, "sql.begin": 1, "sql.commit.before": 1, "sql.commit.after": 1}
OTHERS_MAX = 14  # transactions of a checkout, and some more
PAST = 3  # calls past the last one that an undisturbed checkout was seen to make
SHORT_LEASE = "lease_ms = 1500, payment_timeout_ms = 1000"


def calls_of_a_checkout(lane: Lane) -> int:
    """Database calls from the start of a process until a checkout has settled."""
    purchase = lane.purchases(1)[0]
    lane.kill()
    lane.start()
    purchase.start().join()
    lane.settle()
    return metric(lane.shop, "sql_statements_total") + PAST


def fail_one(lane: Lane, purchase: Purchase, fault: str) -> bool:
    """Whether the shop could start. The failing call may be one of its first: then it says so."""
    lane.kill()
    try:
        lane.start(fault)
    except AssertionError:
        code = lane.shop.wait()
        expect(code > 0, f"{fault}: the start ended with {code}")
        lane.start()
        purchase.start().join()
        return False
    purchase.start().join()
    return True


def sweep_job(job: Job, place: str, first: int, stride: int) -> dict:
    figures = {"tried": 0, "first_try": 0, "typed": 0, "undone": 0, "no_start": 0}
    with Lane(job, order=SHORT_LEASE) as lane:
        last = calls_of_a_checkout(lane)
        numbers = range(first, last + 1 if place == "sql.exec" else OTHERS_MAX + 1, stride)
        for n, purchase in zip(numbers, lane.purchases(len(numbers))):
            figures["no_start"] += not fail_one(lane, purchase, f"{place}=error:STORE@{n}!")
            lane.settle()
            figures["tried"] += 1
            figures["first_try"] += purchase.answers == [201]
            figures["typed"] += len([a for a in purchase.answers if a != 201]) > 0
            figures["undone"] += purchase.status != 201
        return lane.finish() | figures


def make_jobs(short: bool) -> list[tuple]:
    made = []
    for place, share in PLACES.items():
        skip = 2 if short and place == "sql.exec" else 1
        made += [(f"{place} {i}", sweep_job, (place, 1 + i * skip, share * skip)) for i in range(share)]
    return made


def judge(total: dict) -> str:
    return (f"{total['tried']} calls failed one by one: {total['first_try']} checkouts were paid all the "
            f"same, {total['typed']} were told a typed error first and repeated, {total['undone']} of "
            f"them were undone by recovery meanwhile; {total['no_start']} were needed for the start")
