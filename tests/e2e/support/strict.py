"""The strict client (tests/load) as a process beside a test. SPDX-License-Identifier: Apache-2.0"""
import json
import subprocess

from support.shop import build_folder

FAILURES = ["refused", "cut", "unanswered", "wrong_status", "wrong_length", "bad_hash", "mixed",
            "duplicated", "late"]


class Strict:
    """Runs until its --seconds are over, its --requests are done, or stop(); stop() has the figures."""

    def __init__(self, port: int, *args: str):
        self.process = subprocess.Popen(
            [build_folder() / "tests/load/strict", str(port), *map(str, args)],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.told = ""

    def lines(self):
        """Figures as they come; the last one is of the whole run."""
        for line in self.process.stdout:
            yield json.loads(line)

    def wait(self, timeout: float = 120) -> dict:
        """All figures; told has its first complaints."""
        try:
            out, self.told = self.process.communicate(timeout=timeout)
        finally:
            self.process.kill()
        return json.loads(out.splitlines()[-1])

    def stop(self) -> dict:
        self.process.terminate()
        return self.wait()


def complaints(figures: dict) -> dict:
    """What is not 0 of what has to be."""
    return {name: figures[name] for name in FAILURES if figures[name]}
