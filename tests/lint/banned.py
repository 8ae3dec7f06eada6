"""tests/lint/banned.py: functions that have a better one. SPDX-License-Identifier: Apache-2.0"""
import re

from common import Finding, Tree, blank, line_of

BANNED = {
    "strcpy": "stoa_str_copy() or snprintf()", "strcat": "stoa_buf_put()",
    "strncat": "stoa_buf_put()", "strncpy": "snprintf() or memcpy()", "sprintf": "snprintf()",
    "vsprintf": "vsnprintf()", "gets": "fgets()", "atoi": "stoa_str_int()",
    "atol": "stoa_str_int()", "atoll": "stoa_str_int()", "atof": "strtod() with its end checked",
    "scanf": "stoa_str_int()", "sscanf": "stoa_str_int()", "strtok": "stoa_str_cut()",
    "strtok_r": "stoa_str_cut()", "system": "spawn_start()", "popen": "spawn_start()",
    "fork": "spawn_start(): the process has threads", "vfork": "spawn_start()",
    "rand": "getrandom()", "srand": "getrandom()", "random": "getrandom()", "drand48": "getrandom()",
    "alloca": "the arena", "mktemp": "mkstemp()", "tmpnam": "mkstemp()", "tempnam": "mkstemp()",
    "usleep": "stoa_sleep() on a fiber", "localtime": "gmtime_r(): time is UTC",
    "gmtime": "gmtime_r()", "ctime": "stoa_time_format()", "asctime": "stoa_time_format()",
    "setlocale": "nothing: the locale is C",
}
CALL = re.compile(r"(?<![\w.>])(" + "|".join(BANNED) + r")\s*\(")
ALLOWED = re.compile(r"allowed: [^\s*]")


def check_file(path: str, text: str) -> list[Finding]:
    code, lines, findings = blank(text), text.splitlines(), []
    for found in CALL.finditer(code):
        line = line_of(code, found.start())
        if ALLOWED.search(" ".join(lines[max(0, line - 2):line])):
            continue
        findings.append(Finding(path, line, f"{found.group(1)}() is banned",
                                f"use {BANNED[found.group(1)]}, or say /* allowed: why */"))
    return findings


def ships(path: str) -> bool:
    """Tests may be blunt; what runs in a shop may not."""
    return path.startswith(("server/", "sdk/", "plugins/", "examples/")) and "/tests/" not in path


def check(tree: Tree) -> list[Finding]:
    return [f for path in filter(ships, tree.c_files()) for f in check_file(path, tree.text(path))]
