"""tests/lint/text.py: licence lines, notes to self, paths of one machine, READMEs.
SPDX-License-Identifier: Apache-2.0"""
import re

from common import Finding, Tree

SOURCES = (".c", ".h", ".S", ".py", ".lua", ".js", ".css", ".sh", ".supp", "meson.build")
SPDX = "SPDX-License-Identifier: Apache-2.0"
NOTE = re.compile(r"\b(TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
MACHINE = re.compile(r"""(?:^|[\s"'=(:])(/(?:work|home|root|Users|tmp/w)/[\w./-]*)""")
README_LINES = 40


def is_script(text: str) -> bool:
    return text.startswith("#!")


def check_licence(path: str, text: str) -> list[Finding]:
    if "/fixtures/" in path or not (path.endswith(SOURCES) or is_script(text)):
        return []
    head = re.sub(r"[\s*#]+", " ", "\n".join(text.splitlines()[:15]))  # a comment may wrap anywhere
    if not text.strip() or SPDX in head:
        return []
    return [Finding(path, 1, "no licence line", f"add {SPDX} at the top")]


def check_lines(path: str, text: str) -> list[Finding]:
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        note, machine = NOTE.search(line), MACHINE.search(line)
        if note:
            findings.append(Finding(path, number, f"{note.group(1)}: a note to self",
                                    "do it, or open an issue"))
        if machine:
            findings.append(Finding(path, number, f"{machine.group(1)} is a path of one machine",
                                    "make it relative, or an option"))
    return findings


def needs_readme(path: str) -> str | None:
    """The folder of a source in server/ or plugins/, else None."""
    if not re.match(r"(server|plugins)/.+/[^/]+\.(c|h|S)$", path) or "/tests/" in path:
        return None
    return path.rsplit("/", 1)[0]


def check_readmes(tree: Tree) -> list[Finding]:
    findings = []
    for folder in sorted({f for f in map(needs_readme, tree.paths) if f}):
        if f"{folder}/README.md" not in tree.paths:
            findings.append(Finding(folder, 1, "the folder has no README.md",
                                    "say what, who calls it, who owns what, how to add one"))
    for path in tree.ending("README.md"):
        lines = len(tree.text(path).splitlines())
        if lines > README_LINES and path.startswith(("server/", "plugins/", "sdk/", "tests/")):
            findings.append(Finding(path, README_LINES, f"{lines} lines, the cap is {README_LINES}",
                                    "keep what a newcomer needs; move the rest to docs/"))
    return findings


def is_text(path: str) -> bool:
    return not path.startswith("tests/fuzz/corpus/") and not path.endswith(
        (".png", ".jpg", ".webp", ".ico", ".woff2", ".gz", ".db"))


def check(tree: Tree) -> list[Finding]:
    findings = check_readmes(tree)
    for path in filter(is_text, tree.paths):
        findings += check_licence(path, tree.text(path)) + check_lines(path, tree.text(path))
    return findings
