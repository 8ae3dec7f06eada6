"""tests/lint/tools.py: clang-format and clang-tidy; the latter remembers what it has seen.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import hashlib
import json
import os
import pathlib
import re
import subprocess

import banned
from common import Finding, Tree

MESSAGE = re.compile(r"^(.*?):(\d+):\d+: (?:warning|error): (.*)$")
CACHE = "build/lint-cache"
JOBS = 2
# Nearly all the time is the analyzer's, most of it in functions whose paths never end: it stops after a third
# of the usual 225,000 states of a function, and the whole takes half as long.
TIDY = ["clang-tidy", "--quiet", "-p", "build",
        *[f"--extra-arg={a}" for a in ("-Xclang", "-analyzer-config", "-Xclang", "max-nodes=75000")]]


def check_format(tree: Tree) -> list[Finding]:
    files = tree.c_files()
    if not files:
        return []
    shown = subprocess.run(["clang-format", "--dry-run", *files], cwd=tree.root, check=False,
                           text=True, stderr=subprocess.PIPE).stderr
    first: dict[str, int] = {}
    for line in shown.splitlines():
        found = MESSAGE.match(line)
        if found:
            first.setdefault(found.group(1), int(found.group(2)))
    return [Finding(path, line, "not formatted", "run ./dev fmt") for path, line in first.items()]


def compiled(tree: Tree) -> dict[str, str]:
    """Source that runs in a shop → the command that compiles it."""
    database = tree.root / "build" / "compile_commands.json"
    if not database.exists():
        return {}
    commands = {}
    for entry in json.loads(database.read_text()):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if path.is_relative_to(tree.root):
            commands.setdefault(str(path.relative_to(tree.root)), entry["command"])
    return {p: c for p, c in commands.items()
            if p in tree.paths and p.endswith(".c") and banned.ships(p)}


def included(tree: Tree, path: str, seen: set[str]) -> set[str]:
    """Our own headers below path: what else decides whether its findings still hold."""
    for name in re.findall(r'^\s*#\s*include\s*[<"]([^">]+)[">]', tree.text(path), re.M):
        for folder in (path.rsplit("/", 1)[0], "server", "sdk/include", "sdk/src", "sdk/testing"):
            header = f"{folder}/{name}"
            if header in tree.paths and header not in seen:
                seen.add(header)
                included(tree, header, seen)
    return seen


def fingerprint(tree: Tree, path: str, command: str) -> str:
    digest = hashlib.sha256(" ".join([*TIDY, command]).encode() + tree.text(".clang-tidy").encode())
    for name in [path, *sorted(included(tree, path, set()))]:
        digest.update(tree.text(name).encode())
    return digest.hexdigest()


def place(tree: Tree, name: str) -> str:
    """clang-tidy's way to name a file, from the root: it counts from build/, or not."""
    for base in (tree.root, tree.root / "build"):
        path = pathlib.Path(os.path.normpath(base / name))
        if path.is_file() and path.is_relative_to(tree.root):
            return str(path.relative_to(tree.root))
    return name


def tidy(tree: Tree, path: str, command: str) -> list[Finding]:
    mark = tree.root / CACHE / fingerprint(tree, path, command)
    if mark.exists():
        return []
    shown = subprocess.run([*TIDY, path], cwd=tree.root,
                           check=False, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL).stdout
    findings = []
    for line in shown.splitlines():
        found = MESSAGE.match(line)
        if found:
            name = place(tree, found.group(1))
            findings.append(Finding(name, int(found.group(2)), found.group(3),
                                    "mend it, or say NOLINT(check): why"))
    if not findings:
        mark.touch()
    return findings


def changed(tree: Tree) -> set[str]:
    """What the working tree and the last commit touch."""
    shown = subprocess.run("git diff --name-only HEAD; git diff --name-only HEAD~1 HEAD;"
                           "git ls-files --others --exclude-standard", shell=True, cwd=tree.root,
                           check=False, text=True, stdout=subprocess.PIPE,
                           stderr=subprocess.DEVNULL).stdout
    return set(shown.splitlines())


def check_tidy(tree: Tree, only_changed: bool = False) -> list[Finding]:
    (tree.root / CACHE).mkdir(parents=True, exist_ok=True)
    commands = compiled(tree)
    if only_changed:
        touched = changed(tree)
        commands = {p: c for p, c in commands.items() if p in touched}
    findings: dict[Finding, None] = {}
    with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
        for found in pool.map(lambda item: tidy(tree, *item), commands.items()):
            findings.update(dict.fromkeys(found))
    return list(findings)
