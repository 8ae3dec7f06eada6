"""tests/lint/test_lint.py: each check refuses what it should, and only that.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import abi  # noqa: E402
import arrows  # noqa: E402
import banned  # noqa: E402
import caps  # noqa: E402
import reference  # noqa: E402
import text  # noqa: E402
import tools  # noqa: E402
from common import Finding, Tree, blank  # noqa: E402

SPDX = "/* x. SPDX-License-Identifier: Apache-2.0 */\n"


@pytest.fixture
def tree_of(tmp_path):
    """A tree of the given files: {path: text}."""
    def make(files: dict) -> Tree:
        for path, content in files.items():
            target = tmp_path / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(content)
        subprocess.run(["git", "init", "-q", tmp_path], check=True)
        return Tree(tmp_path)
    return make


def function(body: str, head: str = "static int f(int a)") -> str:
    return f"{head}\n{{\n{body}\n}}\n"


def messages(findings: list[Finding]) -> list[str]:
    return [f.message for f in findings]


def test_a_finding_says_where_what_and_how_to_mend_it():
    assert str(Finding("a.c", 3, "is bad", "make it good")) == "a.c:3: is bad; make it good"


def test_blank_keeps_lines_and_columns():
    code = 'a /* x\n y */ "s\\"t" // z\nb'
    assert blank(code) == 'a     \n      "    "     \nb'
    assert len(blank(code)) == len(code)


# ---- caps ----

def test_caps_count_lines_parameters_decisions_and_nesting():
    long = function("    x();\n" * 60)
    wide = function("    x();", "int f(int a, int b, int c, int d, void (*e)(int, int), int g)")
    many = function("    if (a && b)\n        x();\n" * 8)
    deep = function("if (a) { for (;;) { while (b) { if (c) { x(); } } } }")
    assert messages(caps.check_functions("a.c", long)) == ["f() has 64 lines, the cap is 60"]
    assert messages(caps.check_functions("a.c", wide)) == ["f() has 6 parameters, the cap is 5"]
    assert messages(caps.check_functions("a.c", many)) == ["f() has 17 decisions, the cap is 15"]
    assert messages(caps.check_functions("a.c", deep)) == ["f() has 4 levels of nesting, the cap is 3"]


def test_caps_let_pass_what_is_within_them():
    just = function("    x();\n" * 56 + "    y();")
    varied = function("x();", "void f(int a, int b, int c, int d, const char *format, ...)")
    chain = function("if (a) { x(); } else if (b) { y(); } else if (c) { z(); } else { w(); }")
    initialiser = function("for (int i = 0; i < 3; i++) { if (a) { while (b) { struct s t[] = {{1}, {2}}; } } }")
    macro = "#define M(x) \\\n    if (x) { if (x) { if (x) { if (x) { y(); } } } }\n"
    for source in (just, varied, chain, initialiser, macro, "int t[] = {1, 2};\n", "struct s { int a; };\n"):
        assert caps.check_functions("a.c", source) == []


def test_caps_take_a_signed_reason():
    source = function("    x();\n" * 60)
    assert caps.check_functions("a.c", "/* cap: a table of opcodes */\n" + source) == []
    assert caps.check_functions("a.c", "/* Does it.\n * cap: a table */\n" + source) == []
    assert caps.check_functions("a.c", "/* cap: a table */\n\n" + source) != []
    assert caps.check_functions("a.c", "/* cap: */\n" + source) != []


def test_caps_of_a_file():
    assert caps.check_file("a.c", "x\n" * 800) == []
    assert caps.check_file("a.c", "x\n" * 801) != []
    assert caps.check_file("a.c", "/* cap: generated */\n" + "x\n" * 801) == []


# ---- arrows ----

@pytest.mark.parametrize("path, include", [
    ("server/base/log.c", '"loop/loop.h"'),
    ("server/config/config.c", '"theme/theme.h"'),
    ("server/plugin/world.c", '"http/http.h"'),
    ("server/gate/gate.c", "<h2o.h>"),
    ("server/gate/gate.c", '"nowhere/x.h"'),
    ("sdk/src/json.c", '"base/log.h"'),
    ("plugins/order/cart.c", '"base/log.h"'),
    ("plugins/order/cart.c", "<pthread.h>"),
    ("plugins/order/cart.c", "<libpq-fe.h>"),
    ("examples/gift/gift.c", "<h2o.h>"),
])
def test_arrows_refuse(path, include):
    assert len(arrows.check_file(path, f"#include {include}\n")) == 1


@pytest.mark.parametrize("path, include", [
    ("server/loop/loop.c", '"base/log.h"'),
    ("server/http/bridge.c", "<h2o.h>"),
    ("server/resource/sql/sqlite.c", '"resource/pool/pool.h"'),
    ("server/main.c", '"cli/cli.h"'),
    ("server/config/check.c", '"config/check.h"'),
    ("plugins/order/cart.c", "<stoa/stoa.h>"),
    ("plugins/order/cart.c", '"cart.h"'),
    ("plugins/order/cart.c", "<string.h>"),
    ("plugins/order/tests/test_cart.c", "<criterion/criterion.h>"),
    ("sdk/src/json.c", "<yajl/yajl_parse.h>"),
])
def test_arrows_let_pass(path, include):
    assert arrows.check_file(path, f"#include {include}\n") == []


def test_arrows_do_not_read_comments():
    assert arrows.check_file("server/base/log.c", '/*\n#include "http/http.h"\n*/\n') == []


# ---- banned ----

def test_banned_functions():
    assert messages(banned.check_file("a.c", "strcpy(a, b);")) == ["strcpy() is banned"]
    assert len(banned.check_file("a.c", "x = atoi(y) + rand ();")) == 2
    for fine in ("my_strcpy(a, b);", "/* strcpy(a) */", '"strcpy(a)"', "s->system(x);",
                 "strcpy(a, b); /* allowed: sizes were compared */",
                 "/* allowed: sizes were compared */\nstrcpy(a, b);"):
        assert banned.check_file("a.c", fine) == []
    assert banned.ships("server/base/log.c") and not banned.ships("plugins/order/tests/test_cart.c")


# ---- text ----

def test_licence_notes_and_paths():
    assert text.check_licence("a.c", "int x;\n") != []
    assert text.check_licence("a.c", SPDX) == []
    assert text.check_licence("a.c", "/* x. SPDX-License-Identifier:\n * Apache-2.0 */\n") == []
    assert text.check_licence("notes.md", "no licence needed\n") == []
    assert text.check_licence("dev", "#!/bin/sh\n") != []
    assert len(text.check_lines("a.c", "/* TO" "DO: later */\n")) == 1
    assert len(text.check_lines("a.c", 'open("/ho' 'me/me/x");\n')) == 1
    assert text.check_lines("a.c", 'open("/proc/self/exe"); get("https://x/home/");\n') == []


def test_folders_need_a_short_readme(tree_of):
    tree = tree_of({"server/base/log.c": SPDX, "server/loop/loop.c": SPDX, "server/main.c": SPDX,
                    "server/loop/README.md": "x\n" * 41})
    found = {(f.path, f.message) for f in text.check_readmes(tree)}
    assert found == {("server/base", "the folder has no README.md"),
                     ("server/loop/README.md", "41 lines, the cap is 40")}


# ---- abi ----

HEADER = """STOA_API int stoa_one(struct stoa_x *x)
    __attribute__((malloc));
STOA_NODISCARD STOA_API stoa_err stoa_two(void (*fn)(int), int n);
STOA_API extern const struct stoa_y stoa_three;
static inline int stoa_inline(void) { return stoa_four(); }
#define M STOA_API int stoa_macro(void);
struct stoa_x {
    int a;
};
/* STOA_API int stoa_comment(void); */
"""


def test_abi_finds_what_the_headers_declare(tree_of):
    tree = tree_of({"sdk/include/stoa/x.h": HEADER})
    assert sorted(abi.declared(tree)) == ["stoa_one", "stoa_three", "stoa_two"]
    assert abi.structs(tree) == ["struct stoa_x"]


def test_abi_tells_every_difference():
    assert abi.compare("a 1\nb 2\n", "a 1\nb 2\n") == []
    assert messages(abi.compare("a 1\nb 2\n", "a 2\nb 2\n")) == ["the ABI had: a 1", "the ABI has now: a 2"]


def test_abi_of_a_binary(tree_of):
    tree = tree_of({"sdk/include/stoa/x.h": "STOA_API int stoa_one(void);\nSTOA_API int stoa_two(void);\n",
                    "main.c": "int stoa_one(void) { return 1; }\nint leak(void) { return 2; }\n"
                              "int main(void) { return 0; }\n"})
    (tree.root / "build").mkdir()
    subprocess.run(["cc", "-rdynamic", "main.c", "-o", "build/stoa"], cwd=tree.root, check=True)
    assert messages(abi.check_exports(tree)) == [
        "leak is exported but no SDK header declares it STOA_API",
        "stoa_two is declared STOA_API but the binary does not export it"]


# ---- reference, format ----

def test_the_guide_is_compared_between_its_marks():
    guide = f"a\n{reference.BEGIN}\n| x |\n{reference.END}\nb\n"
    assert reference.between(guide) == "| x |"
    assert reference.between("no marks") is None


def test_format_names_each_file_once(tree_of):
    root = pathlib.Path(__file__).resolve().parents[2]
    tree = tree_of({"bad.c": "int  x ;\nint  y ;\n", "good.c": "int x;\n",
                    ".clang-format": (root / ".clang-format").read_text()})
    assert [str(f) for f in tools.check_format(tree)] == ["bad.c:1: not formatted; run ./dev fmt"]
