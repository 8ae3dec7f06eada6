"""tests/lint/abi.py: what the binary exports is what the SDK declares, and sdk/abi.txt says so.

`lint.py abi --write` writes sdk/abi.txt anew; a change belongs into the changelog in stoa.h.
SPDX-License-Identifier: Apache-2.0"""
import pathlib
import re
import subprocess
import tempfile

from common import Finding, Tree, blank, without_directives

HEADERS = "sdk/include/stoa/"
ABI = "sdk/abi.txt"
BINARY = "build/stoa"
STRUCT = re.compile(r"\bstruct\s+(stoa_\w+)\s*\{")
OF_THE_LINKER = {"_init", "_fini", "_start", "_IO_stdin_used", "__data_start", "data_start", "_edata",
                 "_end", "__bss_start", "main", "__dso_handle", "environ", "__environ", "_environ"}


def headers(tree: Tree) -> list[str]:
    return [p for p in tree.ending(".h") if p.startswith(HEADERS)]


def declared(tree: Tree) -> dict[str, str]:
    """Exported name → header."""
    names = {}
    for path in headers(tree):
        code = without_directives(blank(tree.text(path)))
        for found in re.finditer(r"STOA_API\b([^;{]*);", code):
            name = re.search(r"(\w+)\s*\(", found.group(1)) or re.search(r"(\w+)\s*$", found.group(1))
            if name:
                names[name.group(1)] = path
    return names


def structs(tree: Tree) -> list[str]:
    """Types whose size a plugin has compiled in, as C spells them."""
    names = set()
    for path in headers(tree):
        code = without_directives(blank(tree.text(path)))
        names |= {f"struct {name}" for name in STRUCT.findall(code)}
    return sorted(names)


def sizes(tree: Tree) -> list[str]:
    """"struct stoa_x 24" for each, asked from the compiler."""
    lines = "".join(f'    printf("{s} %zu\\n", sizeof({s}));\n' for s in structs(tree))
    program = ("#include <stdio.h>\n#include <stoa/stoa.h>\nint main(void)\n{\n"
               '    printf("abi %d.%d\\n", STOA_ABI_MAJOR, STOA_ABI_MINOR);\n'
               f'    printf("errors %d\\n", (int)STOA_E_COUNT);\n{lines}    return 0;\n}}\n')
    with tempfile.TemporaryDirectory() as folder:
        source = pathlib.Path(folder, "sizes.c")
        source.write_text(program)
        subprocess.run(["cc", "-std=gnu11", f"-I{tree.root}/sdk/include", source, "-o",
                        f"{folder}/sizes"], check=True)
        shown = subprocess.run([f"{folder}/sizes"], check=True, text=True, stdout=subprocess.PIPE)
    return shown.stdout.splitlines()


def exported(binary: pathlib.Path) -> set[str]:
    shown = subprocess.run(["nm", "-D", "--defined-only", binary], check=True, text=True,
                           stdout=subprocess.PIPE).stdout
    return {line.split()[-1].split("@")[0] for line in shown.splitlines()} - OF_THE_LINKER


def render(tree: Tree) -> str:
    symbols = sorted(set(declared(tree)) - {"stoa_plugin"})
    return ("# What plugins have compiled in: sizes and exported symbols. Written by\n"
            "# tests/lint/lint.py abi --write; a change is explained in stoa.h's changelog.\n"
            + "\n".join(sizes(tree)) + "\n" + "\n".join(f"symbol {s}" for s in symbols) + "\n")


def compare(before: str, now: str) -> list[Finding]:
    old, new = before.splitlines(), now.splitlines()
    fix = "explain it in the changelog in stoa.h and run: tests/lint/lint.py abi --write"
    gone = [Finding(ABI, n, f"the ABI had: {line}", fix) for n, line in enumerate(old, 1)
            if line not in new]
    come = [Finding(ABI, 1, f"the ABI has now: {line}", fix) for line in new if line not in old]
    return gone + come


def check_exports(tree: Tree) -> list[Finding]:
    binary = tree.root / BINARY
    if not binary.exists():
        return []
    have, want = exported(binary), declared(tree)
    findings = [Finding(BINARY, 1, f"{name} is exported but no SDK header declares it STOA_API",
                        "make it static or hidden") for name in sorted(have - set(want))]
    findings += [Finding(want[name], 1, f"{name} is declared STOA_API but the binary does not export it",
                         "link it whole, or define it")
                 for name in sorted(set(want) - have - {"stoa_plugin"})]
    return findings


def check(tree: Tree) -> list[Finding]:
    path = tree.root / ABI
    before = path.read_text() if path.exists() else ""
    return compare(before, render(tree)) + check_exports(tree)


def write(tree: Tree) -> None:
    (tree.root / ABI).write_text(render(tree))
