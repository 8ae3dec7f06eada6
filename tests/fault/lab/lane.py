"""One shop that is killed and started again, its shoppers, and visitors who browse meanwhile.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import statistics
import subprocess
import tempfile
import threading
import time

from support.client import Client
from support.shop import Shop

from . import books
from .books import expect
from .jobs import Interruption
from .shoppers import CUT, Purchase

BROWSED = ("/", "/categories/table", "/products/aegina-mug", "/api/v1/products?limit=12")
SETTLE_S = 60


class Browsing:
    """Visitors at a fixed rate on one connection, until stop(); one request at a time, so that a
    slow shop is not buried. Counts what they saw."""

    def __init__(self, lane, rate: float):
        self.lane, self.rate = lane, rate
        self.ok = self.cut = self.errors = self.refused = 0
        self.stopped = threading.Event()
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()

    def _run(self) -> None:
        due, n, client = time.monotonic(), 0, None
        while not self.stopped.wait(max(0.0, due - time.monotonic())):
            due = max(due + 1 / self.rate, time.monotonic() - 0.5)
            n += 1
            client = self._visit(client, BROWSED[n % len(BROWSED)])
        if client:
            client.close()

    def _visit(self, client: Client | None, path: str) -> Client | None:
        client = client or Client(self.lane.shop, timeout=10)
        try:
            answer = client.get(path)
            if answer.status < 400:
                self.ok += 1
            else:
                self.errors += 1
            return client
        except ConnectionRefusedError:
            self.refused += 1
        except CUT:
            self.cut += 1
        client.close()
        return None

    def stop(self) -> None:
        self.stopped.set()
        self.thread.join(15)


class Lane:
    """with Lane(...) as lane: a seeded, running shop in a folder of its own."""

    def __init__(self, job, rate: float = 0, **config: str):
        self.job = job
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="lane-", dir=job.scratch))
        os.environ["STOA_TEST_PG"] = job.cluster
        self.shop = Shop(self.folder, sql=job.sql, **config)
        self.rate = rate
        self.browsing: Browsing | None = None
        self.keys: list[str] = []
        self.starts: list[float] = []  # seconds from exec to ready
        self.recoveries: list[float] = []  # seconds from ready to settled
        self.kills = 0
        self.generation = 0
        self.up = threading.Condition()
        self.present = threading.Event()  # cleared: shoppers do not come back for a second try
        self.present.set()

    def __enter__(self) -> "Lane":
        try:
            self.shop.prepare()
            books.add_stock(self.shop, 1000000)
            self.start()
            if self.rate:
                self.browsing = Browsing(self, self.rate)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self.browsing:
            self.browsing.stop()
        if self.shop.process:
            self.shop.kill()

    # ---- the shop's life ----

    def start(self, fault: str = "", env: dict | None = None) -> float:
        """Starts the shop; returns the seconds until it was ready."""
        self.wait_until_gone()
        began = time.monotonic()
        with Interruption.hold():
            self.shop.start(env={"STOA_FAULT": fault, **(env or {})} if fault or env else {})
        expect(Client(self.shop).get("/readyz").status == 200, "the shop is open and not ready")
        took = time.monotonic() - began
        self.starts.append(took)
        with self.up:
            self.generation += 1
            self.up.notify_all()
        return took

    def start_doomed(self, fault: str) -> bool:
        """Starts the shop to be killed at a fault point; False when that was during the start."""
        try:
            self.start(fault)
        except (AssertionError, *CUT):
            if self.shop.wait() != -9:
                raise
            self.kills += 1
            return False
        return True

    def kill(self) -> None:
        self.shop.kill()

    def wait_until_gone(self) -> None:
        if self.shop.process:
            self.shop.wait()

    def await_kill(self, timeout: float) -> bool:
        """Whether the shop has killed itself at its fault point within timeout."""
        try:
            code = self.shop.process.wait(timeout)
        except subprocess.TimeoutExpired:
            return False
        expect(code == -9, f"the shop ended with {code}: {self.shop.talk()[-600:]}")
        self.kills += 1
        return True

    # ---- its visitors ----

    def attempt(self, request):
        """request(), or None when the shop went away; then it waits for the next one's start."""
        seen = self.generation
        try:
            return request()
        except CUT:
            with self.up:
                self.up.wait_for(lambda: self.generation != seen, 0.5)
            return None

    def pause(self, seconds: float) -> None:
        threading.Event().wait(seconds)

    def purchases(self, count: int, token: str = "tok_ok", act: str = "") -> list[Purchase]:
        made = [Purchase(self, token, act).prepare() for _ in range(count)]
        self.keys += [p.key for p in made]
        return made

    # ---- the end ----

    def settle(self, since: float | None = None) -> float:
        """Waits until nothing is under way; returns the seconds since `since` (else: since now)."""
        since = time.monotonic() if since is None else since
        while not books.is_settled(self.shop):
            expect(time.monotonic() < since + SETTLE_S,
                   f"not settled after {SETTLE_S} s: {books.ask(self.shop, books.OPEN_STATES)}")
            self.pause(books.POLL_S)
        return time.monotonic() - since

    def finish(self, dead: int = 0) -> dict:
        """Checks the books and lets the auditor look; returns figures."""
        if self.browsing:
            self.browsing.stop()
        figures = books.check(self.shop, self.keys, dead)
        if dead == 0:
            books.audit(self.shop)
        if self.browsing:
            figures |= {"browsed": self.browsing.ok, "browse_cut": self.browsing.cut,
                        "browse_refused": self.browsing.refused, "browse_errors": self.browsing.errors}
        return figures | {"kills": self.kills, "starts": self.starts, "recoveries": self.recoveries}


def crowding() -> float:
    """How much longer everything takes just now, as others want the processors, too; 1 when nobody does.
    Looks for a second."""
    running = []
    for _ in range(50):
        time.sleep(0.02)
        running.append(int(pathlib.Path("/proc/loadavg").read_text().split()[3].partition("/")[0]) - 1)
    return 1 + max(0.0, statistics.mean(running)) / (os.cpu_count() or 1)


def expect_within(seconds: float, bound: float, crowded: float, what: str) -> None:
    """bound: on a machine of one's own. crowded: see crowding()."""
    expect(seconds <= bound * crowded, f"{what} {seconds:.2f} s, where {bound * crowded:.2f} s are allowed: "
                                       f"{bound:.0f} s × {crowded:.1f}, as others wanted the processors, too")


def spread(values: list[float]) -> str:
    """"median/max" in seconds."""
    return f"{statistics.median(values):.2f}/{max(values):.2f}" if values else "-"
