"""tests/lint/common.py: files of the tree, findings, and C without comments and strings.
SPDX-License-Identifier: Apache-2.0"""
import dataclasses
import pathlib
import re
import subprocess


@dataclasses.dataclass(frozen=True)
class Finding:
    path: str
    line: int
    message: str
    fix: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}; {self.fix}"


class Tree:
    """The files that are, or could be, committed."""

    def __init__(self, root: pathlib.Path) -> None:
        self.root = root
        self._texts: dict[str, str] = {}
        listed = subprocess.run(["git", "ls-files", "-z", "--cached", "--others",
                                 "--exclude-standard"], cwd=root, check=True,
                                stdout=subprocess.PIPE).stdout.decode()
        self.paths = sorted(p for p in set(listed.split("\0")) if p and (root / p).is_file())

    def text(self, path: str) -> str:
        if path not in self._texts:
            self._texts[path] = (self.root / path).read_text(encoding="utf-8", errors="replace")
        return self._texts[path]

    def ending(self, *endings: str) -> list[str]:
        return [p for p in self.paths if p.endswith(endings)]

    def c_files(self) -> list[str]:
        return self.ending(".c", ".h")


COMMENT_OR_STRING = re.compile(
    r"""/\*.*?\*/ | //[^\n]* | "(?:\\.|[^"\\\n])*" | '(?:\\.|[^'\\\n])*'""", re.S | re.X)


def blank(text: str, keep_strings: bool = False) -> str:
    """C with comments (and strings) turned into spaces: lines and columns stay where they were."""
    def space(match: re.Match) -> str:
        found = match.group(0)
        if keep_strings and found[0] in "\"'":
            return found
        if found[0] in "\"'":
            return found[0] + " " * (len(found) - 2) + found[0]
        return re.sub(r"[^\n]", " ", found)
    return COMMENT_OR_STRING.sub(space, text)


DIRECTIVE = re.compile(r"^[ \t]*#(?:[^\n\\]|\\.|\\\n)*", re.M | re.S)


def without_directives(text: str) -> str:
    return DIRECTIVE.sub(lambda m: re.sub(r"[^\n]", " ", m.group(0)), text)


def line_of(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1
