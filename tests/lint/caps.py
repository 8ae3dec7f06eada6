"""tests/lint/caps.py: no file, function, list of parameters or nesting grows without a signed reason.
SPDX-License-Identifier: Apache-2.0"""
import dataclasses
import re

from common import Finding, Tree, blank, line_of, without_directives

FILE_LINES = 800
FUNCTION_LINES = 60
PARAMETERS = 5
COMPLEXITY = 15
NESTING = 3
SIGN = "or sign it: a line /* cap: reason */ just above"

KEYWORDS = {"if", "for", "while", "switch", "return", "sizeof", "do", "else", "static_assert"}
BRANCH = re.compile(r"\b(if|for|while|switch)\b|&&|\|\||\?")
BLOCK = re.compile(r"\b(if|else|for|while|do|switch)\b")
HEAD = re.compile(r"\b([A-Za-z_]\w*)\s*\(")


@dataclasses.dataclass
class Function:
    name: str
    first: int
    last: int
    parameters: int
    complexity: int
    nesting: int


def matching(text: str, start: int, pair: str) -> int:
    """Offset of what closes text[start], or -1."""
    depth = 0
    for offset in range(start, len(text)):
        if text[offset] == pair[0]:
            depth += 1
        elif text[offset] == pair[1]:
            depth -= 1
            if depth == 0:
                return offset
    return -1


def count_parameters(text: str) -> int:
    if text.strip() in ("", "void"):
        return 0
    depth = count = 0
    for char in text:
        depth += (char in "([{") - (char in ")]}")
        count += char == "," and depth == 0
    return count + (not text.rstrip().endswith("..."))


def count_branches(body: str) -> int:
    """McCabe, a switch counting once. The while of a do is the loop that do opened."""
    return 1 + len(BRANCH.findall(body))


def opens_block(head: str) -> bool:
    """Whether a { after head belongs to if, else, a loop or switch; not to an initialiser."""
    return (bool(BLOCK.search(head)) and head.count("(") == head.count(")")
            and not head.rstrip().endswith(("=", ",")))


def deepest(body: str) -> int:
    """Control blocks inside each other; initialisers and bare blocks do not count."""
    stack: list[bool] = []
    most, since = 0, 0
    for offset, char in enumerate(body):
        if char == "{":
            stack.append(opens_block(body[since:offset]))
            most = max(most, sum(stack))
        elif char == "}" and stack:
            stack.pop()
        is_end = char == ";" and body.count("(", since, offset) == body.count(")", since, offset)
        if char in "{}" or is_end:
            since = offset + 1
    return most


def functions(source: str) -> list[Function]:
    text = without_directives(blank(source))
    found, offset = [], 0
    while True:
        brace = text.find("{", offset)
        if brace < 0:
            return found
        end = matching(text, brace, "{}")
        if end < 0:
            return found
        head_at = max(text.rfind(";", 0, brace), text.rfind("}", 0, brace)) + 1
        head = text[head_at:brace]
        function = read_head(text, head, head_at, brace, end)
        if function:
            found.append(function)
        offset = end + 1


def read_head(text: str, head: str, head_at: int, brace: int, end: int) -> Function | None:
    name = next((m for m in HEAD.finditer(head)
                 if m.group(1) not in KEYWORDS and m.group(1) != "__attribute__"), None)
    if not name or "=" in head[:name.start()] or not head.rstrip().endswith(")"):
        return None
    opening = head_at + name.end() - 1
    closing = matching(text, opening, "()")
    body = text[brace + 1:end]
    return Function(name=name.group(1),
                    first=line_of(text, head_at + len(head) - len(head.lstrip())),
                    last=line_of(text, end),
                    parameters=count_parameters(text[opening + 1:closing]),
                    complexity=count_branches(body), nesting=deepest(body))


def is_signed(lines: list[str], first: int) -> bool:
    """A /* cap: reason */ in the comment right above line number first."""
    row = first - 2
    while row >= 0 and re.match(r"\s*(/\*|\*|//)", lines[row]):
        if re.search(r"\bcap: [^\s*]", lines[row]):
            return True
        row -= 1
    return False


def check_functions(path: str, source: str) -> list[Finding]:
    lines, findings = source.splitlines(), []
    for f in functions(source):
        measured = [
            (f.last - f.first + 1, FUNCTION_LINES, "lines", "split it"),
            (f.parameters, PARAMETERS, "parameters", "pass a struct"),
            (f.complexity, COMPLEXITY, "decisions", "use a table or split it"),
            (f.nesting, NESTING, "levels of nesting", "return early or split it"),
        ]
        over = [m for m in measured if m[0] > m[1]]
        if over and not is_signed(lines, f.first):
            findings += [Finding(path, f.first, f"{f.name}() has {have} {what}, the cap is {cap}",
                                 f"{fix}, {SIGN}") for have, cap, what, fix in over]
    return findings


def check_file(path: str, source: str) -> list[Finding]:
    lines = source.splitlines()
    if len(lines) <= FILE_LINES or any(re.search(r"\bcap: [^\s*]", line) for line in lines[:10]):
        return []
    return [Finding(path, 1, f"{len(lines)} lines, the cap is {FILE_LINES}",
                    "one idea per file: split it, or sign it with cap: reason in the first 10 lines")]


def check(tree: Tree) -> list[Finding]:
    findings = []
    for path in tree.ending(".c", ".h", ".py", ".lua", ".js", ".css"):
        findings += check_file(path, tree.text(path))
    for path in tree.ending(".c"):
        findings += check_functions(path, tree.text(path))
    return findings
