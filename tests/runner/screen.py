"""tests/runner/screen.py: a line for each stage that ended; on a terminal also what runs now.
SPDX-License-Identifier: Apache-2.0"""
import os
import re
import shutil
import sys
import threading
import time

PROGRESS = re.compile(rb"\[ *(\d+%)\]|\[(\d+/\d+)\]")  # pytest, ninja
SHOWN = 40  # lines below a stage


class Screen:
    def __init__(self, total: int, out=sys.stdout) -> None:
        self.total, self.out = total, out
        self.lock = threading.RLock()
        self.running: dict[str, tuple] = {}  # lane → stage, run, when it began
        self.over = threading.Event()
        self.live = out.isatty()

    def __enter__(self) -> "Screen":
        if self.live:
            threading.Thread(target=self._tick, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        self.say("", end="")

    # ---- what the lanes tell ----

    def began(self, stage, run) -> None:
        with self.lock:
            self.running[stage.lane] = (stage, run, time.monotonic())

    def lane_ended(self, lane: str) -> None:
        with self.lock:
            self.running.pop(lane, None)

    def ended(self, place: int, stage, result, seconds: float, processor: float) -> None:
        outcome = result.note or f"{result.passed} passed, {result.failed} failed"
        lines = [f"[{place + 1:2}/{self.total}] {stage.name:40} {outcome}"
                 f"  ({seconds:.1f} s, processor {processor:.0f} s)"]
        lines += [f"        {line}" for line in result.details[:SHOWN]]
        if len(result.details) > SHOWN:
            lines.append(f"        … and {len(result.details) - SHOWN} more; see build/test-logs/")
        lines += [f"        left out {count}: {why}" for why, count in sorted(result.left_out.items())]
        self.say("\n".join(lines))

    def say(self, text: str, end: str = "\n") -> None:
        with self.lock:
            self.out.write(("\r\033[K" if self.live else "") + text + end)
            self.out.flush()

    # ---- on a terminal ----

    def _tick(self) -> None:
        while not self.over.wait(1):
            with self.lock:
                width = shutil.get_terminal_size().columns - 1
                self.say(" | ".join(map(self._doing, self.running.values()))[:width], end="")

    def _doing(self, entry: tuple) -> str:
        stage, run, began = entry
        return f"{stage.name}: {time.monotonic() - began:.0f} s {progress(run.latest)}".rstrip()


def progress(log) -> str:
    """How far the command says that it is."""
    try:
        with open(log, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - 2000))
            found = PROGRESS.findall(file.read())
    except (OSError, TypeError):
        return ""
    return b"".join(found[-1]).decode() if found else ""
