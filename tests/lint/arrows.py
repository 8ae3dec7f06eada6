"""tests/lint/arrows.py: dependencies point one way (docs/architecture.md).
SPDX-License-Identifier: Apache-2.0"""
import re

from common import Finding, Tree, blank, line_of

# A folder may include what stands in a row above it, and itself.
ORDER = [
    {"base"}, {"loop"}, {"fiber"}, {"config", "resource", "theme"}, {"plugin"}, {"route"},
    {"call"}, {"port"}, {"gate"}, {"http"}, {"apply"},
    {"supervise"}, {"cli"}, {"main"},
]
RANK = {folder: rank for rank, row in enumerate(ORDER) for folder in row}
INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^">]+)[>"]', re.M)
H2O_FOLDERS = ("server/loop/", "server/http/", "tests/", "bench/")
LIBC = {"assert.h", "ctype.h", "errno.h", "inttypes.h", "limits.h", "math.h", "stdalign.h",
        "stdbool.h", "stddef.h", "stdint.h", "stdio.h", "stdlib.h", "stdnoreturn.h", "string.h",
        "strings.h"}


def includes(text: str):
    code = blank(text, keep_strings=True)
    for found in INCLUDE.finditer(code):
        yield line_of(code, found.start()), found.group(1) == "<", found.group(2)


def folder_of(path: str) -> str:
    parts = path.split("/")
    return parts[1] if len(parts) > 2 else "main"


def check_server(path: str, line: int, system: bool, name: str) -> list[Finding]:
    if system or "/" not in name:
        return []
    mine, theirs = folder_of(path), name.split("/")[0]
    if theirs not in RANK:
        return [Finding(path, line, f'"{name}" is not a folder of the server',
                        'include "folder/file.h" or <stoa/file.h>')]
    if mine == theirs or RANK[theirs] < RANK.get(mine, len(ORDER)):
        return []
    return [Finding(path, line, f"{mine} may not use {theirs} ({name}): the arrow points the other way",
                    "pass what is needed in, or move it down")]


def check_outside(path: str, line: int, system: bool, name: str) -> list[Finding]:
    """Plugins and examples: the SDK, libc, and headers of their own."""
    if name.startswith("stoa/") or (system and name in LIBC) or (not system and "/" not in name):
        return []
    return [Finding(path, line, f"a plugin may not include {name}",
                    "a plugin knows <stoa/…> and libc only; ask the SDK for it")]


def check_sdk(path: str, line: int, system: bool, name: str) -> list[Finding]:
    if name.split("/")[0] in RANK and not system:
        return [Finding(path, line, f"the SDK may not use the server ({name})",
                        "the SDK stands below the server")]
    return []


def check_file(path: str, text: str) -> list[Finding]:
    findings = []
    for line, system, name in includes(text):
        if re.match(r"h2o(\.h$|/)", name) and not path.startswith(H2O_FOLDERS):
            findings.append(Finding(path, line, "h2o is known in server/loop and server/http only",
                                    "use loop/loop.h"))
        elif path.startswith("server/"):
            findings += check_server(path, line, system, name)
        elif path.startswith(("plugins/", "examples/")) and "/tests/" not in path:
            findings += check_outside(path, line, system, name)
        elif path.startswith(("sdk/src/", "sdk/include/")):
            findings += check_sdk(path, line, system, name)
    return findings


def check(tree: Tree) -> list[Finding]:
    return [f for path in tree.c_files() for f in check_file(path, tree.text(path))]
