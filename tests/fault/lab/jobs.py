"""Jobs side by side in processes of their own; a line for each experiment when its last job ends.
SPDX-License-Identifier: Apache-2.0"""
import collections
import concurrent.futures
import contextlib
import dataclasses
import multiprocessing
import os
import signal
import sys
import time
import traceback
from typing import Any, Callable

from .books import Broken


@dataclasses.dataclass
class Job:
    """A part of an experiment: work(job, *args) returns a dict of figures, or raises."""

    experiment: str
    sql: str
    name: str
    work: Callable
    args: tuple = ()
    short: bool = False
    scratch: str = ""
    cluster: str = ""
    alone: bool = False  # measures how long answers take


@dataclasses.dataclass
class Outcome:
    job: Job
    figures: dict[str, Any]
    error: str = ""
    seconds: float = 0.0


INTERRUPTED = 130


class Interruption:
    """The first Ctrl-C or SIGTERM ends what this process does, and no second one its tidying up."""

    came = False
    held = False  # whoever holds it raises it in the end

    @classmethod
    def listen(cls) -> None:
        def interrupt(number, frame):
            was, cls.came = cls.came, True
            if not was and not cls.held:
                raise KeyboardInterrupt

        signal.signal(signal.SIGINT, interrupt)
        signal.signal(signal.SIGTERM, interrupt)

    @classmethod
    @contextlib.contextmanager
    def hold(cls):
        """While a server is started: of one that is half there nobody would know."""
        before, cls.held = cls.came, True
        try:
            yield
        finally:
            cls.held = False
            if cls.came and not before:
                raise KeyboardInterrupt


def perform(job: Job) -> Outcome:
    began = time.monotonic()
    try:
        return Outcome(job, job.work(job, *job.args), "", time.monotonic() - began)
    except Broken as error:
        return Outcome(job, {}, str(error), time.monotonic() - began)
    except Exception:  # a fault of the experiment itself is a failure, too
        return Outcome(job, {}, traceback.format_exc(limit=-4), time.monotonic() - began)
    finally:
        # Its shop is gone by now; otherwise the next job would begin. Out of a wait for a condition
        # it may have come as a RuntimeError.
        if Interruption.came:
            os._exit(INTERRUPTED)


def merge(outcomes: list[Outcome]) -> dict[str, Any]:
    """Adds numbers up, joins lists."""
    total: dict[str, Any] = {}
    for outcome in outcomes:
        for name, value in outcome.figures.items():
            total[name] = total[name] + value if name in total else value
    return total


class Progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, total: int):
        self.total, self.done, self.began = total, 0, time.monotonic()
        self.shown = sys.stderr.isatty()
        self.draw()

    def draw(self) -> None:
        if not self.shown:
            return
        filled = 30 * self.done // max(1, self.total)
        sys.stderr.write(f"\r\x1b[K[{'#' * filled}{'.' * (30 - filled)}] {self.done}/{self.total}"
                         f" {time.monotonic() - self.began:.0f} s ")
        sys.stderr.flush()

    def clear(self) -> None:
        if self.shown:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()


def run_all(jobs: list[Job], workers: int, say: Callable[[list[Outcome]], None]) -> list[Outcome]:
    """Runs jobs, those that measure time last and alone; say(outcomes) as soon as all jobs of one
    experiment and database are done."""
    left = collections.Counter((job.experiment, job.sql) for job in jobs)
    groups: dict[tuple, list[Outcome]] = {group: [] for group in left}
    progress = Progress(len(jobs))

    def note(outcome: Outcome) -> None:
        group = outcome.job.experiment, outcome.job.sql
        groups[group].append(outcome)
        progress.done += 1
        progress.clear()
        if len(groups[group]) == left[group]:
            say(groups[group])
        progress.draw()

    for alone in (False, True):
        part = [job for job in jobs if job.alone == alone]
        with concurrent.futures.ProcessPoolExecutor(1 if alone else workers, initializer=Interruption.listen) as pool:
            try:
                for future in concurrent.futures.as_completed([pool.submit(perform, j) for j in part]):
                    note(future.result())
            except BaseException:  # they would go on to the last job
                for process in multiprocessing.active_children():
                    os.kill(process.pid, signal.SIGINT)
                raise
    progress.clear()
    return [outcome for group in groups.values() for outcome in group]
