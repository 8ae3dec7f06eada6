"""tests/runner/core.py: what every stage needs: commands with logs, builds, one PostgreSQL.
SPDX-License-Identifier: Apache-2.0"""
import dataclasses
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
LOGS = ROOT / "build" / "test-logs"
POSTGRESQL = ROOT / "tests" / "servers" / "postgresql"

SANITIZE = ["-Db_sanitize=address,undefined", "-Db_lundef=false"]
# Build folder → compiler and options. Instrumented code draws warnings of its own: no -Werror there.
FOLDERS = {
    "build": ("gcc", ["-Dwerror=true"]),
    "build-clang": ("clang", ["-Dwerror=true"]),
    "build-asan": ("gcc", SANITIZE),
    "build-valgrind": ("gcc", ["-Dvalgrind=true"]),
    "build-fuzz": ("clang", [*SANITIZE, "-Dfuzz=true", "-Dtests=disabled"]),
}


@dataclasses.dataclass
class Result:
    passed: int = 0
    failed: int = 0
    details: list[str] = dataclasses.field(default_factory=list)  # shown below the stage's line
    note: str = ""  # instead of the counts

    def add(self, other: "Result") -> None:
        self.passed += other.passed
        self.failed += other.failed
        self.details += other.details


class Run:
    """One ./dev test: what its stages share."""

    def __init__(self, quick: bool) -> None:
        self.quick = quick
        self.scratch = pathlib.Path(tempfile.mkdtemp(prefix="stoa-test-"))
        self.builds: dict[str, Result] = {}  # each folder is built once a run
        self._postgresql: str | None = None

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *_: object) -> None:
        if self._postgresql:
            subprocess.run([POSTGRESQL, "stop", self.scratch / "pg"], check=False,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def postgresql(self) -> str | None:
        """URL of a server of our own, started at the first call; None when there is no script."""
        if self._postgresql is None and os.access(POSTGRESQL, os.X_OK):
            self.scratch.chmod(0o755)  # the server runs as another user
            started = subprocess.run([POSTGRESQL, "start", self.scratch / "pg"], check=True,
                                     text=True, stdout=subprocess.PIPE, timeout=120)
            self._postgresql = started.stdout.strip().splitlines()[-1]
        return self._postgresql


def log_path(name: str) -> pathlib.Path:
    return LOGS / (re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".log")


def command(name: str, argv: list, env: dict | None = None, timeout: float = 900) -> tuple[int, str]:
    """Runs argv; returns its exit code (124 when it took too long) and all it said."""
    log = log_path(name)
    with open(log, "w+", encoding="utf-8", errors="replace") as out:
        try:
            code = subprocess.run([str(a) for a in argv], env={**os.environ, **(env or {})},
                                  stdin=subprocess.DEVNULL, stdout=out, stderr=subprocess.STDOUT,
                                  timeout=timeout, check=False, cwd=ROOT).returncode
        except subprocess.TimeoutExpired:
            code = 124
            out.write(f"\ntook more than {timeout:.0f} s\n")
        out.seek(0)
        return code, out.read()


def tail(text: str, lines: int = 25) -> list[str]:
    return text.rstrip().splitlines()[-lines:]


def set_up(folder: str, compiler: str, wanted: list[str]) -> tuple[int, str]:
    env = {"CC": compiler}
    mark = ROOT / folder / ".compiler"
    if not (ROOT / folder / "build.ninja").exists():
        code, text = command(f"setup {folder}", ["meson", "setup", folder, *wanted], env)
    elif not mark.exists() or mark.read_text().strip() != compiler:
        code, text = command(f"setup {folder}", ["meson", "setup", "--wipe", folder, *wanted], env)
    elif has_options(folder, wanted):
        return 0, ""
    else:
        code, text = command(f"setup {folder}", ["meson", "configure", folder, *wanted], env)
    if code == 0:
        mark.write_text(compiler + "\n")
    return code, text


def has_options(folder: str, wanted: list[str]) -> bool:
    shown = subprocess.run(["meson", "introspect", folder, "--buildoptions"], cwd=ROOT, check=False,
                           text=True, stdout=subprocess.PIPE).stdout
    have = {o["name"]: str(o["value"]).lower() for o in json.loads(shown or "[]")}
    return all(have.get(name) == value for name, value in (w[2:].split("=", 1) for w in wanted))


def build(run: Run, folder: str) -> Result:
    """Counts as one test."""
    if folder not in run.builds:
        run.builds[folder] = build_now(folder)
    return run.builds[folder]


def build_now(folder: str) -> Result:
    code, text = set_up(folder, *FOLDERS[folder])
    if code == 0:
        code, text = command(f"ninja {folder}", ["ninja", "-C", folder])
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
    code, text = command(name, argv, timeout=timeout)
    counts = re.findall(r"^(\d+) passed, (\d+) failed$", text, re.M)
    passed, failed = map(int, counts[-1]) if counts else (int(code == 0), int(code != 0))
    if code != 0 and failed == 0:
        failed = 1
    return Result(passed, failed, tail(text, 40) if failed else [])
