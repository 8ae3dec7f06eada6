#!/usr/bin/python3
"""tests/run.py: every stage of ./dev test, one line each; the last line is "N passed, M failed".

A stage is a row in STAGES. To add one: write a function that takes the run and returns a Result, and
add a row. Logs of a stage are in build/test-logs/.  SPDX-License-Identifier: Apache-2.0
"""
import argparse
import dataclasses
import os
import pathlib
import subprocess
import sys
import time
from typing import Callable

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runner import e2e, fuzz, unit  # noqa: E402
from runner.core import ROOT, Result, Run, build, script  # noqa: E402


@dataclasses.dataclass(frozen=True)
class Stage:
    name: str
    work: Callable[[Run], Result]
    quick: bool = False  # also in ./dev test --quick


STAGES = [
    Stage("build with gcc, warnings are errors", lambda r: build(r, "build"), quick=True),
    Stage("lint", lambda r: script(r, "lint", lint_command(r)), quick=True),
    Stage("tests of the lint", lambda r: e2e.pytest(r, "lint", "tests/lint"), quick=True),
    Stage("unit tests", lambda r: unit.plain(r, "build"), quick=True),
    Stage("short end to end", lambda r: e2e.suite(r, "build", "sqlite", "local", short=True),
          quick=True),
    Stage("build with clang, warnings are errors", lambda r: build(r, "build-clang")),
    Stage("build with ASan and UBSan", lambda r: build(r, "build-asan")),
    Stage("unit tests, ASan and UBSan", lambda r: unit.sanitized(r, "build-asan")),
    Stage("build for Valgrind", lambda r: build(r, "build-valgrind")),
    Stage("unit tests, Valgrind", lambda r: unit.valgrind(r, "build-valgrind")),
    Stage("fuzzing, 10 s a parser", lambda r: fuzz.all_targets(r, "build-fuzz", seconds=10)),
    Stage("end to end, SQLite, local", lambda r: e2e.suite(r, "build", "sqlite", "local")),
    Stage("end to end, SQLite, loopback", lambda r: e2e.suite(r, "build", "sqlite", "loopback")),
    Stage("end to end, SQLite, sandbox", lambda r: e2e.suite(r, "build", "sqlite", "sandbox")),
    Stage("end to end, PostgreSQL, local", lambda r: e2e.suite(r, "build", "postgresql", "local")),
    Stage("end to end, PostgreSQL, loopback",
          lambda r: e2e.suite(r, "build", "postgresql", "loopback")),
    Stage("end to end, PostgreSQL, nodes", lambda r: e2e.suite(r, "build", "postgresql", "nodes")),
    Stage("end to end, SQLite, local, ASan",
          lambda r: e2e.suite(r, "build-asan", "sqlite", "local")),
    Stage("faults, short", lambda r: e2e.faults(r)),
]


def lint_command(run: Run) -> list[str]:
    return ["/usr/bin/python3", "tests/lint/lint.py"] + (["--changed"] if run.quick else [])


def chosen(options: argparse.Namespace) -> list[Stage]:
    stages = [s for s in STAGES if s.quick] if options.quick else \
        [s for s in STAGES if s.name != "short end to end"]
    if options.only:
        stages = [s for s in STAGES if options.only.lower() in s.name.lower()]
    return stages


def report(number: int, total: int, stage: Stage, result: Result, seconds: float) -> None:
    outcome = result.note or f"{result.passed} passed, {result.failed} failed"
    print(f"[{number:2}/{total}] {stage.name:40} {outcome}  ({seconds:.1f} s)", flush=True)
    for line in result.details[:40]:
        print(f"        {line}", flush=True)
    if len(result.details) > 40:
        print(f"        … and {len(result.details) - 40} more; see build/test-logs/", flush=True)


def run_stages(stages: list[Stage], run: Run) -> tuple[int, int]:
    passed = failed = 0
    for number, stage in enumerate(stages, 1):
        start = time.monotonic()
        try:
            result = stage.work(run)
        except (OSError, subprocess.SubprocessError, ValueError) as problem:
            result = Result(failed=1, details=[f"{type(problem).__name__}: {problem}"])
        report(number, len(stages), stage, result, time.monotonic() - start)
        passed += result.passed
        failed += result.failed
    return passed, failed


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev test")
    parser.add_argument("--quick", action="store_true", help="what fits into three minutes")
    parser.add_argument("--only", metavar="WORD", help="only the stages whose name has WORD")
    parser.add_argument("--list", action="store_true", help="print the stages")
    options = parser.parse_args()
    stages = chosen(options)
    if options.list:
        print("\n".join(stage.name for stage in stages))
        return 0
    os.chdir(ROOT)
    pathlib.Path("build/test-logs").mkdir(parents=True, exist_ok=True)
    with Run(quick=options.quick) as run:
        passed, failed = run_stages(stages, run)
    print(f"{passed} passed, {failed} failed")
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
