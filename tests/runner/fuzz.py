"""tests/runner/fuzz.py: every libFuzzer target for a bounded time.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import os
import pathlib

from .core import LOGS, ROOT, Result, Run, tail, unless_built

CORPUS = ROOT / "tests" / "fuzz" / "corpus"


def targets(folder: str) -> list[pathlib.Path]:
    return [p for p in sorted((ROOT / folder / "tests" / "fuzz").glob("fuzz_*"))
            if p.is_file() and os.access(p, os.X_OK)]


def one(run: Run, target: pathlib.Path, seconds: int) -> Result:
    name = target.name.removeprefix("fuzz_")
    grown = run.scratch / "corpus" / name  # what the fuzzer finds stays out of the repository
    grown.mkdir(parents=True, exist_ok=True)
    seeds = [CORPUS / name] if (CORPUS / name).is_dir() else []
    argv = [target, f"-max_total_time={seconds}", "-timeout=20", "-rss_limit_mb=1024",
            "-print_final_stats=1", f"-artifact_prefix={LOGS}/{name}-", grown, *seeds]
    code, text = run.command(f"fuzz {name}", argv, timeout=seconds * 6 + 60)
    if code == 0:
        return Result(passed=1)
    return Result(failed=1, details=[f"{name}: {line}" for line in tail(text, 12)])


def all_targets(run: Run, folder: str, seconds: int) -> Result:
    refused = unless_built(run, folder)
    if refused:
        return refused
    total = Result()
    with concurrent.futures.ThreadPoolExecutor(2) as pool:
        for result in pool.map(lambda t: one(run, t, seconds), targets(folder)):
            total.add(result)
    if total.passed + total.failed == 0:
        return Result(failed=1, details=["no fuzz target was built"])
    return total
