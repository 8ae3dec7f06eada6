#!/usr/bin/python3
"""tests/run.py: every stage of ./dev test, one line each; the last line is "N passed, M failed".

A stage is a row in STAGES. To add one: write a function that takes the run and returns a Result, and
add a row. The lanes run side by side, each in the order of its rows. Logs are in build/test-logs/.
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import pathlib
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from runner import e2e, fuzz, processes, unit  # noqa: E402
from runner.core import ROOT, Run, build, script  # noqa: E402
from runner.lanes import PATIENCE, Stage, run_stages  # noqa: E402
from runner.screen import Screen  # noqa: E402


def front(name: str, work, needs: str = "build", **more) -> Stage:
    """What talks to sockets and waits."""
    return Stage(name, work, "front", needs=needs, **more)


def beside(name: str, work, needs: str = "build", **more) -> Stage:
    """As in front, and as long again."""
    return Stage(name, work, "beside", needs=needs, **more)


def behind(name: str, work, needs: str = "build", **more) -> Stage:
    """What only needs processor time."""
    return Stage(name, work, "behind", needs=needs, **more)


# What has no time-outs of its own comes first behind: the unit tests run while the front waits most.
STAGES = [
    front("build with gcc, warnings are errors", lambda r: build(r, "build"), needs="",
          builds="build", quick=True),
    behind("build with clang, warnings are errors", lambda r: build(r, "build-clang"), needs=""),
    behind("lint", lambda r: script(r, "lint", lint_command(r)), quick=True),
    behind("tests of lint and runner",
           lambda r: e2e.pytest(r, "lint and runner", ["tests/lint", "tests/runner"]), quick=True),
    behind("unit tests", lambda r: unit.plain(r, "build"), quick=True),
    front("short end to end", lambda r: e2e.suite(r, "build", "sqlite", "local", short=True), quick=True),
    behind("build with ASan and UBSan", lambda r: build(r, "build-asan"), needs="", builds="build-asan"),
    behind("build for Valgrind", lambda r: build(r, "build-valgrind"), needs="", builds="build-valgrind"),
    behind("build for fuzzing", lambda r: build(r, "build-fuzz"), needs="", builds="build-fuzz"),
    behind("unit tests, ASan and UBSan", lambda r: unit.sanitized(r, "build-asan"), needs="build-asan"),
    behind("unit tests, Valgrind", lambda r: unit.valgrind(r, "build-valgrind"), needs="build-valgrind"),
    behind("fuzzing, 10 s a parser", lambda r: fuzz.all_targets(r, "build-fuzz", seconds=10),
           needs="build-fuzz"),
    front("end to end, SQLite, local", lambda r: e2e.suite(r, "build", "sqlite", "local")),
    front("end to end, SQLite, loopback", lambda r: e2e.suite(r, "build", "sqlite", "loopback")),
    front("end to end, SQLite, sandbox", lambda r: e2e.suite(r, "build", "sqlite", "sandbox")),
    front("end to end, PostgreSQL, local", lambda r: e2e.suite(r, "build", "postgresql", "local")),
    front("end to end, PostgreSQL, loopback", lambda r: e2e.suite(r, "build", "postgresql", "loopback")),
    front("end to end, PostgreSQL, nodes", lambda r: e2e.suite(r, "build", "postgresql", "nodes")),
    front("faults, short", e2e.faults),
    beside("end to end, SQLite, local, ASan", lambda r: e2e.suite(r, "build-asan", "sqlite", "local"),
           needs="build-asan"),
]


def lint_command(run: Run) -> list[str]:
    return ["/usr/bin/python3", "tests/lint/lint.py"] + (["--changed"] if run.quick else [])


def chosen(options: argparse.Namespace) -> list[Stage]:
    stages = [s for s in STAGES if s.quick] if options.quick else \
        [s for s in STAGES if s.name != "short end to end"]
    if options.only:
        stages = [s for s in STAGES if options.only.lower() in s.name.lower()]
    return stages


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
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    with Screen(len(stages)) as screen:
        passed, failed = run_stages(stages, lambda lane: Run(options.quick, PATIENCE[lane]), screen)
    print(f"{passed} passed, {failed} failed")
    if processes.interrupted():
        return 130
    return 0 if passed > 0 and failed == 0 else 1


if __name__ == "__main__":
    sys.exit(main())
