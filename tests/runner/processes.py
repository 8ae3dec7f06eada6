"""tests/runner/processes.py: commands that can all be ended: each is a process group, known here.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import select
import signal
import subprocess
import threading
import time

TICK = os.sysconf("SC_CLK_TCK")


class Interrupted(Exception):
    """The whole run is being ended."""


_lock = threading.Lock()
_running: dict[int, subprocess.Popen] = {}
_ending = threading.Event()


def run(argv: list[str], env: dict, out, timeout: float, cwd) -> tuple[int | None, float]:
    """Exit code (None: it took longer than timeout seconds), and seconds of processor it used with all
    that it waited for. A process group, not a session: nice holds between groups of one session only."""
    with _lock:
        if _ending.is_set():
            raise Interrupted
        process = subprocess.Popen(argv, env=env, stdin=subprocess.DEVNULL, stdout=out,
                                   stderr=subprocess.STDOUT, cwd=cwd, process_group=0)
        _running[process.pid] = process
    try:
        in_time = wait_end(process.pid, timeout)
        if not in_time:
            kill_all(process.pid, descendants(process.pid))
            wait_end(process.pid, 30)
        seconds = processor_of(process.pid)
    finally:
        with _lock:  # reaped: from here on the number may be another process's
            code = process.wait()
            del _running[process.pid]
    if _ending.is_set():
        raise Interrupted
    return (code if in_time else None), seconds


def wait_end(pid: int, timeout: float) -> bool:
    """Without reaping it."""
    fd = os.pidfd_open(pid)
    try:
        return bool(select.select([fd], [], [], timeout)[0])
    finally:
        os.close(fd)


def fields(pid: int) -> list[str]:
    """/proc/PID/stat from the state on; empty when there is no such process."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text(errors="replace").rsplit(")", 1)[1].split()
    except OSError:
        return []


def processor_of(pid: int) -> float:
    return sum(map(int, fields(pid)[11:15])) / TICK


def descendants(root: int) -> list[tuple[int, str]]:
    """Process and when it started: a number alone may be somebody else's by the time it is used."""
    parents: dict[int, list[tuple[int, str]]] = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := fields(int(entry.name))):
            parents.setdefault(int(stat[1]), []).append((int(entry.name), stat[19]))
    found, todo = [], [root]
    while todo:
        children = parents.get(todo.pop(), [])
        found += children
        todo += [pid for pid, _ in children]
    return found


def kill_all(leader: int, tree: list[tuple[int, str]]) -> None:
    """The leader's group, and those of the tree that left it. The leader is not reaped yet."""
    os.killpg(leader, signal.SIGKILL)
    kill_tree(tree)


def kill_tree(tree: list[tuple[int, str]]) -> None:
    for pid, started in tree:
        stat = fields(pid)
        if stat and stat[19] == started:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                pass


GRACE = 15  # seconds


def end_all() -> None:
    """Asks every command to end (pytest then tears its shops down); after GRACE seconds they are
    killed, with all that they started. No command starts any more."""
    with _lock:
        _ending.set()
        trees = {pid: descendants(pid) for pid in _running}
        for pid in trees:
            os.kill(pid, signal.SIGINT)
    deadline = time.monotonic() + GRACE
    try:
        while time.monotonic() < deadline and _alive(trees):
            time.sleep(0.05)
    finally:  # a second Ctrl-C does not wait
        with _lock:
            for pid in set(trees) & set(_running):
                kill_all(pid, descendants(pid))
        for tree in trees.values():  # what outlived those that ended in time, too
            kill_tree(tree)


def _alive(trees: dict) -> bool:
    with _lock:
        return bool(set(trees) & set(_running))


def interrupted() -> bool:
    return _ending.is_set()
