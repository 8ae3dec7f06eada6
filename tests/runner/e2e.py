"""tests/runner/e2e.py: end-to-end suites and faults, against the real binary.
SPDX-License-Identifier: Apache-2.0"""
import os
import xml.etree.ElementTree as xml

from .core import LOGS, ROOT, Result, Run, log_path, script, tail, unless_built
from .unit import findings_of_sanitizers, fresh, sanitizer_env

PYTHON = "/usr/bin/python3"


def read_junit(path) -> Result:
    total = Result()
    for case in xml.parse(path).getroot().iter("testcase"):
        bad = case.find("failure") if case.find("failure") is not None else case.find("error")
        if bad is not None:
            total.failed += 1
            total.details.append(f"{case.get('classname')}::{case.get('name')}: "
                           f"{(bad.get('message') or '').splitlines()[0:1]}")
        elif (skipped := case.find("skipped")) is not None:
            total.add(Result(left_out={skipped.get("message") or "no reason was given": 1}))
        else:
            total.passed += 1
    return total


def pytest(run: Run, name: str, folders: list[str], env: dict | None = None,
           args: list[str] | None = None) -> Result:
    for folder in folders:
        if not any((ROOT / folder).glob("**/test_*.py")):
            return Result(failed=1, details=[f"{folder} has no tests"])
    junit = LOGS / (log_path(name).stem + ".xml")
    junit.unlink(missing_ok=True)
    code, text = run.command(name, [PYTHON, "-m", "pytest", "-q", "-p", "no:cacheprovider",
                                    f"--junitxml={junit}", *(args or []), *folders], env)
    if code == 5:
        return Result(failed=1, details=[f"{', '.join(folders)}: nothing was selected"])
    result = read_junit(junit) if junit.exists() else Result()
    if code != 0 and result.failed == 0:
        result.add(Result(failed=1, details=tail(text)))
    return result


def suite(run: Run, folder: str, sql: str, port: str, short: bool = False) -> Result:
    refused = unless_built(run, folder)
    if refused:
        return refused
    env = {"STOA_BUILD": str(ROOT / folder), "STOA_TEST_SQL": sql, "STOA_TEST_PORT": port}
    if sql == "postgresql":
        url = run.postgresql()
        if not url:
            return Result(failed=1, details=["tests/servers/postgresql is not there"])
        env["STOA_TEST_PG"] = url
        if port != "local":
            env["STOA_TEST_COLLATION"] = "en-US"  # as many servers have it; the test cluster's own is C
    args = []
    if short:
        env["STOA_TEST_SHORT"] = "1"
        args = ["-m", "short"]
    logs = fresh(f"e2e-{folder}-{sql}-{port}")
    env.update(sanitizer_env(logs))
    # A command that ends with an error leaves its memory to the kernel; the unit tests look for leaks.
    env["ASAN_OPTIONS"] += ":detect_leaks=0"
    result = pytest(run, f"e2e {folder} {sql} {port}", ["tests/e2e"], env, args)
    result.add(findings_of_sanitizers(logs))
    return result


def faults(run: Run) -> Result:
    refused = unless_built(run, "build")
    if refused:
        return refused
    if not os.access(ROOT / "tests" / "fault" / "run", os.X_OK):
        return Result(failed=1, details=["tests/fault/run is not there"])
    return script(run, "faults", ["tests/fault/run", "--short"])
