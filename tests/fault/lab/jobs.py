"""Jobs side by side in processes of their own; a line for each experiment when its last job ends.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import dataclasses
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


@dataclasses.dataclass
class Outcome:
    job: Job
    figures: dict[str, Any]
    error: str = ""
    seconds: float = 0.0


def perform(job: Job) -> Outcome:
    began = time.monotonic()
    try:
        return Outcome(job, job.work(job, *job.args), "", time.monotonic() - began)
    except Broken as error:
        return Outcome(job, {}, str(error), time.monotonic() - began)
    except Exception:  # a fault of the experiment itself is a failure, too
        return Outcome(job, {}, traceback.format_exc(limit=-4), time.monotonic() - began)


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
    """Runs jobs; say(outcomes) as soon as all jobs of one experiment and database are done."""
    groups: dict[tuple, list[Outcome]] = {}
    left: dict[tuple, int] = {}
    for job in jobs:
        left[job.experiment, job.sql] = left.get((job.experiment, job.sql), 0) + 1
    progress = Progress(len(jobs))
    everything = []
    with concurrent.futures.ProcessPoolExecutor(workers) as pool:
        for future in concurrent.futures.as_completed([pool.submit(perform, job) for job in jobs]):
            outcome = future.result()
            group = outcome.job.experiment, outcome.job.sql
            groups.setdefault(group, []).append(outcome)
            everything.append(outcome)
            left[group] -= 1
            progress.done += 1
            progress.clear()
            if left[group] == 0:
                say(groups[group])
            progress.draw()
    progress.clear()
    return everything
