"""tests/runner/core.py: what every stage needs: commands with logs, builds, one PostgreSQL.
SPDX-License-Identifier: Apache-2.0"""
import contextlib
import dataclasses
import fcntl
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

from . import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
POSTGRESQL = ROOT / "tests" / "servers" / "postgresql"

SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
# Build folder → compiler and options. Instrumented code draws warnings of its own: no -Werror there.
# What only waits for clang's warnings, or runs slowly anyway, is not optimised: that is half the time.
FOLDERS = {
    "build": ("gcc", ["-Dwerror=true"]),
    "build-clang": ("clang", ["-Dwerror=true", "-Doptimization=0", "-Ddebug=false"]),
    "build-asan": ("gcc", [*SANITIZE, "-Doptimization=g"]),
    "build-valgrind": ("gcc", ["-Dvalgrind=true"]),
    "build-fuzz": ("clang", [*SANITIZE, "-Dfuzz=true", "-Dtests=disabled"]),
}


@dataclasses.dataclass
class Result:
    passed: int = 0
    failed: int = 0
    details: list[str] = dataclasses.field(default_factory=list)  # shown below the stage's line
    note: str = ""  # instead of the counts
    left_out: dict[str, int] = dataclasses.field(default_factory=dict)  # why, and how many

    def add(self, other: "Result") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.details += other.details
        for why, count in other.left_out.items():
            self.left_out[why] = self.left_out.get(why, 0) + count


class Run:
    """One lane of a ./dev test: what its stages share, and no other lane has."""

    def __init__(self, quick: bool = False, patience: int = 1) -> None:
        self.quick = quick
        self.patience = patience  # how much longer than alone a command may take
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="stoa-test-"))
        self.scratch.chmod(0o755)  # PostgreSQL runs as another user
        self.builds: dict[str, Result] = {}  # each folder is built once a run
        self.processor = 0.0  # seconds that the commands used
        self.latest: pathlib.Path | None = None  # log of the command that began last
        self._postgresql: str | None = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        # Ours, and those of scripts that were killed: a server is nobody's child.
        for mark in self.scratch.glob("**/data/postmaster.pid"):
            subprocess.run([POSTGRESQL, "stop", mark.parent.parent], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def postgresql(self) -> str | None:
        """URL of a server of our own, started at the first call; None when there is no script."""
        if self._postgresql is None and os.access(POSTGRESQL, os.X_OK):
            started = subprocess.run([POSTGRESQL, "start", self.scratch / "pg"], check=True,
                                     text=True, stdout=subprocess.PIPE, timeout=120)
            self._postgresql = started.stdout.strip().splitlines()[-1]
        return self._postgresql

    def command(self, name: str, argv: list, env: dict | None = None,
                timeout: float = 900) -> tuple[int, str]:
        """Runs argv; returns its exit code (124 when it took too long) and all it said."""
        timeout *= self.patience
        env = {**os.environ, "TMPDIR": str(self.scratch), **(env or {})}
        self.latest = log_path(name)
        with open(self.latest, "w+", encoding="utf-8", errors="replace") as out:
            code, seconds = processes.run([str(a) for a in argv], env, out, timeout, ROOT)
            self.processor += seconds
            if code is None:
                code = 124
                out.write(f"\ntook more than {timeout:.0f} s\n")
            out.seek(0)
            return code, out.read()


def log_path(name: str) -> pathlib.Path:
    return LOGS / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".log")


def tail(text: str, lines: int = 25) -> list[str]:
    return text.rstrip().splitlines()[-lines:]


def set_up(run: Run, folder: str, compiler: str, wanted: list[str]) -> tuple[int, str]:
    mark = ROOT / folder / ".compiler"
    if not (ROOT / folder / "build.ninja").exists():
        argv = ["meson", "setup", folder, *wanted]
    elif not mark.exists() or mark.read_text().strip() != compiler:
        argv = ["meson", "setup", "--wipe", folder, *wanted]
    elif has_options(folder, wanted):
        return 0, ""
    else:
        argv = ["meson", "configure", folder, *wanted]
    code, text = run.command(f"setup {folder}", argv, {"CC": compiler})
    if code == 0:
        mark.write_text(compiler + "\n")
    return code, text


def has_options(folder: str, wanted: list[str]) -> bool:
    shown = subprocess.run(["meson", "introspect", folder, "--buildoptions"], cwd=ROOT, check=False,
                           text=True, stdout=subprocess.PIPE).stdout
    have = {o["name"]: str(o["value"]).lower() for o in json.loads(shown or "[]")}
    return all(have.get(name) == value for name, value in (w[2:].split("=", 1) for w in wanted))


@contextlib.contextmanager
def alone_in(folder: str):
    """Two lanes may want the same folder (--only); they do not build in it at once."""
    with open(LOGS / f"{folder}.lock", "w", encoding="utf-8") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def build(run: Run, folder: str) -> Result:
    """Counts as one test."""
    if folder not in run.builds:
        with alone_in(folder):
            run.builds[folder] = build_now(run, folder)
    return run.builds[folder]


def build_now(run: Run, folder: str) -> Result:
    code, text = set_up(run, folder, *FOLDERS[folder])
    if code == 0:
        code, text = run.command(f"ninja {folder}", ["ninja", "-C", folder])
    if code == 0:
        return Result(passed=1, note="ok")
    errors = [line for line in text.splitlines() if re.search(r"error:|FAILED:|ERROR", line)]
    return Result(failed=1, details=errors or tail(text))


def unless_built(run: Run, folder: str) -> Result | None:
    """None when folder is there to be tested, else what the stage that needs it answers."""
    built = build(run, folder)
    return Result(failed=1, details=[f"{folder} did not build"]) if built.failed else None


def script(run: Run, name: str, argv: list, timeout: float = 900) -> Result:
    """A script that ends with "N passed, M failed", or else counts as one test by its exit code."""
    code, text = run.command(name, argv, timeout=timeout)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = map(int, counts[-1]) if counts else (int(code == 0), int(code != 0))
    if code != 0 and failed == 0:
        failed = 1
    return Result(passed, failed, tail(text, 40) if failed else [])
