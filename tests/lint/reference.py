"""tests/lint/reference.py: the operator guide's list of keys is what the binary prints.
SPDX-License-Identifier: Apache-2.0"""
import subprocess

from common import Finding, Tree

GUIDE = "docs/operator-guide.md"
BINARY = "build/stoa"
BEGIN, END = "<!-- reference: begin -->", "<!-- reference: end -->"


def between(guide: str) -> str | None:
    if BEGIN not in guide or END not in guide:
        return None
    return guide.split(BEGIN, 1)[1].split(END, 1)[0].strip()


def check(tree: Tree) -> list[Finding]:
    binary = tree.root / BINARY
    if not binary.exists():
        return []
    shown = subprocess.run([binary, "check", "--reference"], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if shown.returncode != 0:
        return [Finding(GUIDE, 1, "`stoa check --reference` failed", "run it by hand")]
    if between(tree.text(GUIDE)) == shown.stdout.strip():
        return []
    return [Finding(GUIDE, 1, "the list of keys is not what the binary prints",
                    f"put the output of build/stoa check --reference between {BEGIN} and {END}")]
