"""R19: kill -9 of the shop and a power cut of its database, under load.
SPDX-License-Identifier: Apache-2.0"""
import pathlib
import random
import statistics
import subprocess
import time

from support.client import Client

from . import books
from .books import expect
from .jobs import Interruption, Job
from .lane import Lane, crowding, expect_within, spread
from .shoppers import Crowd

NEEDS_SQL = True
ALONE = False
READY_S = 3.0
HANG_S = 12.0  # a request's own deadline is 10 s
SHOPPERS = 4
SERVER = pathlib.Path(__file__).resolve().parents[2] / "servers" / "postgresql"


def kill_job(job: Job, kills: int) -> dict:
    chance, crowded = random.Random(19), crowding()
    with Lane(job, rate=50 if job.short else 200) as lane:
        crowd = Crowd(lane, SHOPPERS)
        for _ in range(kills):
            lane.pause(chance.uniform(0.3, 1.2))
            lane.kill()
            lane.kills += 1
            lane.start()
        ready = time.monotonic()
        crowd.stop()
        lane.recoveries.append(lane.settle(ready))
        return lane.finish() | {"crowding": [crowded]}


def power_cut_job(job: Job, cuts: int) -> dict:
    """A cluster of its own, which writes to the disk. The shop lives on while it is away."""
    if job.sql == "sqlite":
        return {}  # its database is the process itself
    folder = f"{job.scratch}/pg-{job.name.replace(' ', '-')}"
    figures: dict = {"outages": 0, "typed": 0, "slowest": [], "back": []}
    try:
        job.cluster = server("start", folder, "fsync")
        with Lane(job, rate=50 if job.short else 200) as lane:
            crowd = Crowd(lane, SHOPPERS)
            for _ in range(cuts):
                lane.pause(1.0)
                server("crash", folder)
                ask_while_down(lane, figures)
                began = time.monotonic()
                server("start", folder, "fsync")
                await_answer(lane)
                figures["back"].append(time.monotonic() - began)
                figures["outages"] += 1
            back = time.monotonic()
            crowd.stop()
            lane.recoveries.append(lane.settle(back))
            return lane.finish() | figures
    finally:
        server("stop", folder)


def server(*args: str) -> str:
    with Interruption.hold():
        done = subprocess.run([str(SERVER), *args], text=True, capture_output=True, timeout=60, check=False)
    expect(done.returncode == 0 or args[0] != "start", f"postgresql {args}: {done.stderr[-300:]}")
    return done.stdout.strip()


def ask_while_down(lane: Lane, figures: dict) -> None:
    """Whatever needs the database says so, with a typed problem, and soon."""
    client = Client(lane.shop, timeout=HANG_S)
    for _ in range(5):
        began = time.monotonic()
        answer = client.post("/api/v1/carts", {})
        figures["slowest"].append(time.monotonic() - began)
        expect(answer.status == 503 and answer.json["code"] in ("STORE", "TIMEOUT", "BUSY")
               and "retry-after" in answer.headers, f"without a database: {answer.status} {answer.text[:200]}")
        figures["typed"] += 1
    client.close()


def await_answer(lane: Lane) -> None:
    client = Client(lane.shop, timeout=HANG_S)
    until = time.monotonic() + 60
    while client.post("/api/v1/carts", {}).status != 201:
        expect(time.monotonic() < until, "no cart 60 s after the database came back")
        lane.pause(books.POLL_S)
    client.close()


def make_jobs(short: bool) -> list[tuple]:
    return [("kill", kill_job, (5 if short else 20,)), ("power cut", power_cut_job, (2 if short else 5,))]


def judge(total: dict) -> str:
    # Of the starts: whatever else this machine does for a moment is not the shop's.
    expect_within(statistics.median(total["starts"]), READY_S, max(total.get("crowding", [1.0])),
                  "half of the starts were ready only after")
    text = (f"{total['kills']} kills under load, {total['orders']} orders; ready "
            f"{spread(total['starts'])} s, recovered {spread(total['recoveries'])} s")
    if total.get("outages"):
        text += (f"; {total['outages']} power cuts of the database: {total['typed']} × typed 503 within "
                 f"{max(total['slowest']):.1f} s, served again {spread(total['back'])} s after its start")
    return text
