"""tests/runner/lanes.py: stages in three lanes side by side, each in a thread of its own.

In front runs what talks to sockets and waits, in its order; beside it, a little niced, more of that kind;
behind both, what only needs processor time. A stage that never came to an end counts as failed.
SPDX-License-Identifier: Apache-2.0
"""
import contextlib
import dataclasses
import os
import threading
import time
import traceback
from typing import Callable

from . import processes
from .core import Result, Run

NICE = {"front": 0, "beside": 5, "behind": 15}
PATIENCE = {"front": 2, "beside": 4, "behind": 6}  # so much longer than alone on a quiet machine a command may take


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    work: Callable[[Run], Result]
    lane: str = "front"
    builds: str = ""  # the folder that it builds
    needs: str = ""  # it waits for the stage that builds this folder, when that is run too
    quick: bool = False  # also in ./dev test --quick


class Board:
    """What became of the stages: the lanes write, and wait for each other."""

    def __init__(self, stages: list[Stage], screen) -> None:
        self.stages, self.screen = stages, screen
        self.results: dict[int, Result] = {}  # by the stage's place
        self.changed = threading.Condition()
        self.over = {lane: threading.Event() for lane in NICE}  # Thread.join() is not safe to interrupt

    def put(self, place: int, result: Result, seconds: float = 0, processor: float = 0) -> None:
        with self.changed:
            if place in self.results:
                return
            self.results[place] = result
            self.changed.notify_all()
        self.screen.ended(place, self.stages[place], result, seconds, processor)

    def await_build(self, stage: Stage) -> Result | None:
        """What the stage that builds what this one needs said; None when it is not run."""
        place = builder(self.stages, stage.needs)
        if place is None:
            return None
        with self.changed:
            if place not in self.results:
                self.screen.say(f"{stage.lane}: '{stage.name}' waits for '{self.stages[place].name}'")
            self.changed.wait_for(lambda: place in self.results)
            return self.results[place]


def builder(stages: list[Stage], folder: str) -> int | None:
    return next((i for i, s in enumerate(stages) if folder and s.builds == folder), None)


def stuck(stages: list[Stage]) -> list[str]:
    """Stages that would wait for each other for ever, or are in no lane."""
    left = {lane: [i for i, s in enumerate(stages) if s.lane == lane] for lane in NICE}
    ended: set[int] = set()
    moved = True
    while moved:
        moved = False
        for queue in left.values():
            if queue and builder(stages, stages[queue[0]].needs) in {None, *ended}:
                ended.add(queue.pop(0))
                moved = True
    return [s.name for i, s in enumerate(stages) if i not in ended]


def work(board: Board, stage: Stage, run: Run) -> Result:
    try:
        built = board.await_build(stage) if stage.needs else None
        if built:
            run.builds[stage.needs] = built
        if built and built.failed:
            return Result(failed=1, details=[f"not run: {stage.needs} was not built"])
        result = stage.work(run)
    except processes.Interrupted:
        raise
    except Exception as problem:  # noqa: BLE001: whatever it is, the stage did not succeed
        where = traceback.extract_tb(problem.__traceback__)[-1]
        return Result(failed=1, details=[f"{type(problem).__name__}: {problem} "
                                         f"({os.path.basename(where.filename)}:{where.lineno})"])
    if result.passed + result.failed == 0:
        result.add(Result(failed=1, details=["nothing was tested"]))
    return result


def run_lane(name: str, board: Board, make_run: Callable[[str], Run]) -> None:
    mine = [i for i, s in enumerate(board.stages) if s.lane == name]
    why = "its lane ended before it"
    try:
        os.nice(NICE[name])  # on Linux: this thread, and all that it starts
        with make_run(name) as run:
            for place in mine:
                stage, start, used = board.stages[place], time.monotonic(), run.processor
                board.screen.began(stage, run)
                result = work(board, stage, run)
                board.put(place, result, time.monotonic() - start, run.processor - used)
    except processes.Interrupted:
        why = "interrupted"
    except BaseException as problem:  # noqa: BLE001: the thread ends here; its stages must not be lost
        why += f": {type(problem).__name__}: {problem}"
    finally:
        try:
            board.screen.lane_ended(name)
            for place in mine:
                board.put(place, Result(failed=1, note="not run", details=[why]))
        finally:
            board.over[name].set()


def run_stages(stages: list[Stage], make_run: Callable[[str], Run], screen) -> tuple[int, int]:
    """Passed and failed."""
    if stuck(stages):
        raise ValueError(f"these stages wait for each other: {', '.join(stuck(stages))}")
    board = Board(stages, screen)
    lanes = [threading.Thread(target=run_lane, args=(name, board, make_run), name=name, daemon=True)
             for name in NICE]
    try:
        for lane in lanes:
            lane.start()
        for over in board.over.values():
            while not over.wait(0.5):  # a signal just before an endless wait would not end it
                pass
    except KeyboardInterrupt:
        screen.say("interrupted; ending what runs")
        with contextlib.suppress(KeyboardInterrupt):  # a second one does not wait
            processes.end_all()
            for over in board.over.values():
                over.wait(60)
    results = [board.results.get(i, Result(failed=1)) for i in range(len(stages))]
    return sum(r.passed for r in results), sum(r.failed for r in results)
