"""tests/runner/unit.py: the unit tests: plain, sanitized, under Valgrind.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import json
import pathlib
import re
import shutil
import subprocess

from .core import LOGS, ROOT, Result, Run, tail, unless_built

SYNTHESIS = re.compile(r"Synthesis: Tested: (\d+) \| Passing: (\d+) \| Failing: (\d+) "
                       r"\| Crashing: (\d+)")
VALGRIND_FINDING = re.compile(r"Invalid (read|write|free)|uninitialised|definitely lost|Mismatched free"
                              r"|Jump to the invalid|points to un|overlap in|fishy")
# How a process ended Criterion sees and counts itself; some tests want it to end so.
CRASH = re.compile(r"ERROR: AddressSanitizer: (SEGV|BUS|ABRT|FPE|stack-overflow)")
ENDED_BY_SIGNAL = "Process terminating with default action of signal"
JOBS = 2
# The long ones begin first, so that none of them is left over at the end.
LONG = ["unit-sql-sql", "unit-call-call", "unit-call-events", "unit-call-journal", "unit-call-tx",
        "unit-port-sdk", "unit-gate-dispatch", "unit-sql-migrate", "fault-simulator-no-void",
        "unit-sql-postgresql", "unit-sql-sqlite"]


def programs(folder: str) -> list[dict]:
    shown = subprocess.run(["meson", "introspect", folder, "--tests"], cwd=ROOT, check=True,
                           text=True, stdout=subprocess.PIPE).stdout
    found = [t for t in json.loads(shown) if any(s.split(":")[-1] == "unit" for s in t["suite"])]
    return sorted(found, key=lambda t: LONG.index(t["name"]) if t["name"] in LONG else len(LONG))


def one(run: Run, kind: str, test: dict, wrap: list[str], env: dict, slow: int) -> Result:
    """Runs one test program and reads Criterion's own count."""
    code, text = run.command(f"{kind} {test['name']}", wrap + test["cmd"], {**test["env"], **env},
                         timeout=test["timeout"] * slow)
    counts = SYNTHESIS.findall(text)
    if not counts:
        passed, failed = int(code == 0), int(code != 0)
    else:
        passed = int(counts[-1][1])
        failed = int(counts[-1][2]) + int(counts[-1][3])
    if code != 0 and failed == 0:
        failed = 1
    details = [f"{test['name']}: {line}" for line in tail(text, 12)] if failed else []
    return Result(passed, failed, details)


# What measures time itself means nothing at a thirtieth of the speed; the ASan run has all of it.
NOT_UNDER_VALGRIND = {"unit-call-events": "its retries and time-outs run by the real clock"}


def every(run: Run, folder: str, kind: str, work, skipped: dict | None = None) -> Result:
    refused = unless_built(run, folder)
    if refused:
        return refused
    total = Result()
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        chosen = [t for t in programs(folder) if t["name"] not in (skipped or {})]
        for result in pool.map(work, chosen):
            total.add(result)
    total.add(Result(left_out={f"{name}: {why}": 1 for name, why in (skipped or {}).items()}))
    if total.passed + total.failed == 0:
        return Result(failed=1, details=[f"no unit test in {folder}: is libcriterion-dev there?"])
    return total


def shared_env(run: Run) -> dict:
    url = run.postgresql()
    return {"STOA_TEST_PG": url} if url else {}


def plain(run: Run, folder: str) -> Result:
    env = shared_env(run)
    return every(run, folder, "unit", lambda t: one(run, "unit", t, [], env, 1))


def fresh(name: str) -> pathlib.Path:
    path = LOGS / name
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def sanitized(run: Run, folder: str) -> Result:
    logs = fresh("asan")
    env = {**shared_env(run), **sanitizer_env(logs)}
    env["ASAN_OPTIONS"] += ":fast_unwind_on_malloc=0"  # else Criterion's own leaks have no name
    total = every(run, folder, "asan", lambda t: one(run, "asan", t, [], env, 4))
    total.add(findings_of_sanitizers(logs, CRASH))
    return total


def sanitizer_env(logs: pathlib.Path) -> dict:
    return {"ASAN_OPTIONS": f"log_path={logs}/report:detect_stack_use_after_return=0:"
                            "allocator_may_return_null=1:handle_abort=0",
            "UBSAN_OPTIONS": f"log_path={logs}/report:print_stacktrace=1:halt_on_error=1",
            "LSAN_OPTIONS": f"suppressions={ROOT}/tests/runner/lsan.supp:print_suppressions=0"}


def findings_of_sanitizers(logs: pathlib.Path, ignored: re.Pattern | None = None) -> Result:
    total = Result()
    for report in sorted(logs.glob("report.*")):
        text = report.read_text(errors="replace")
        if ignored and ignored.search(text):
            continue
        head = re.search(r".*(ERROR: \w+Sanitizer|runtime error:).*", text)
        if head:
            total.add(Result(failed=1, details=[f"{report.relative_to(ROOT)}: {head.group(0)}"]))
    return total


def valgrind(run: Run, folder: str) -> Result:
    logs = fresh("valgrind")
    # Some unit-test programs fork servers and shells of the system: only our own are looked at.
    wrap = ["valgrind", "-q", "--trace-children=yes", "--trace-children-skip=/bin/*,/usr/*,*/postgres,*/config_child",
            "--leak-check=full", "--errors-for-leak-kinds=definite", "--show-leak-kinds=definite",
            "--num-callers=20", f"--suppressions={ROOT}/tests/runner/valgrind.supp",
            f"--log-file={logs}/%p.log"]
    env = {**shared_env(run), "STOA_TEST_VALGRIND": "1"}
    total = every(run, folder, "valgrind", lambda t: one(run, "valgrind", t, wrap, env, 20),
                  NOT_UNDER_VALGRIND)
    for report in sorted(logs.glob("*.log")):
        text = report.read_text(errors="replace")
        if ENDED_BY_SIGNAL in text:
            continue
        finding = VALGRIND_FINDING.search(text)
        if finding:
            place = re.search(r"(at|by) 0x\w+: (\w+ \(\w+\.[ch]:\d+\))", text[finding.start():])
            where = place.group(2) if place else "?"
            total.add(Result(failed=1, details=[
                f"{report.relative_to(ROOT)}: {finding.group(0)} in {where}"]))
    return total
