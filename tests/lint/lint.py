#!/usr/bin/python3
"""tests/lint/lint.py: every check that reads the tree; each finding says where, what and how to mend it.

lint.py [NAME…] [--changed]     all checks or the named ones; --changed: clang-tidy on what changed
lint.py abi reference --write   accept the ABI, and the keys in the operator guide, as they are now
SPDX-License-Identifier: Apache-2.0
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi  # noqa: E402
import arrows  # noqa: E402
import banned  # noqa: E402
import caps  # noqa: E402
import reference  # noqa: E402
import text  # noqa: E402
import tools  # noqa: E402
from common import Finding, Tree  # noqa: E402

ROOT = pathlib.Path(__file__).resolve().parents[2]


def checks(only_changed: bool) -> dict:
    return {
        "format": tools.check_format,
        "arrows": arrows.check,
        "caps": caps.check,
        "banned": banned.check,
        "text": text.check,
        "abi": abi.check,
        "reference": reference.check,
        "tidy": lambda tree: tools.check_tidy(tree, only_changed),
    }


def run(name: str, check, tree: Tree) -> list[Finding]:
    start = time.monotonic()
    findings = check(tree)
    for finding in findings:
        print(finding)
    state = f"{len(findings)} findings" if findings else "ok"
    print(f"{name}: {state} ({time.monotonic() - start:.1f} s)", file=sys.stderr, flush=True)
    return findings


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev lint")
    parser.add_argument("names", nargs="*", metavar="NAME")
    parser.add_argument("--changed", action="store_true")
    parser.add_argument("--write", action="store_true", help="with abi or reference: accept what is now")
    options = parser.parse_args()
    every, tree = checks(options.changed), Tree(ROOT)
    unknown = set(options.names) - set(every)
    if unknown:
        parser.error(f"no check {', '.join(sorted(unknown))}; there are {', '.join(every)}")
    if options.write:
        for name in options.names or ["abi", "reference"]:
            {"abi": abi, "reference": reference}[name].write(tree)
        return 0
    failed = passed = 0
    for name in options.names or every:
        try:
            bad = bool(run(name, every[name], tree))
        except (OSError, subprocess.SubprocessError) as problem:
            print(f"{name}: {problem}")
            bad = True
        failed += bad
        passed += not bad
    print(f"{passed} passed, {failed} failed", flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
