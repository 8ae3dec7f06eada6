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


def printed(tree: Tree) -> str | None:
    shown = subprocess.run([tree.root / BINARY, "check", "--reference"], check=False, text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    return shown.stdout.strip() if shown.returncode == 0 else None


def check(tree: Tree) -> list[Finding]:
    if not (tree.root / BINARY).exists():
        return []
    want = printed(tree)
    if want is None:
        return [Finding(GUIDE, 1, "`stoa check --reference` failed", "run it by hand")]
    if between(tree.text(GUIDE)) == want:
        return []
    return [Finding(GUIDE, 1, "the list of keys is not what the binary prints",
                    "run: tests/lint/lint.py reference --write")]


def write(tree: Tree) -> None:
    before, rest = tree.text(GUIDE).split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    (tree.root / GUIDE).write_text(f"{before}{BEGIN}\n{printed(tree)}\n{END}{after}")
