"""The lanes: nothing that was not tested looks like success, and nothing stays behind.
SPDX-License-Identifier: Apache-2.0"""
import io
import os
import pathlib
import signal
import subprocess
import sys
import threading
import time

import pytest

import run as program
from runner import core, e2e, lanes, processes, unit
from runner.core import Result, Run
from runner.lanes import Stage, run_stages, stuck
from runner.screen import Screen, progress

OK = Result(passed=1)


@pytest.fixture(autouse=True)
def logs(tmp_path, monkeypatch):
    """Away from those of the run that this test is a part of."""
    monkeypatch.setattr(core, "LOGS", tmp_path)
    return tmp_path


def ran(stages, make_run=lambda lane: Run()):
    """Passed, failed, and what was printed."""
    out = io.StringIO()
    return *run_stages(stages, make_run, Screen(len(stages), out)), out.getvalue()


def good(name="good", lane="front", **more):
    return Stage(name, lambda run: Result(passed=1), lane, **more)


def raising(problem):
    def work(run):
        raise problem
    return work


def test_stages_of_all_lanes_are_added_up_and_each_has_a_line():
    passed, failed, out = ran([good("one"), good("two", "behind"),
                               Stage("three", lambda run: Result(3, 2, ["why it failed"]))])
    assert (passed, failed) == (5, 2)
    lines = {line[:7]: line for line in out.splitlines()}
    assert {"[ 1/3] ", "[ 2/3] ", "[ 3/3] "} <= set(lines)
    assert "three" in lines["[ 3/3] "] and "3 passed, 2 failed" in lines["[ 3/3] "]
    assert "        why it failed" in out


@pytest.mark.parametrize("lane", ["front", "beside", "behind"])
@pytest.mark.parametrize("problem", [OSError("no disk"), KeyError("x"), AssertionError("never")])
def test_a_stage_that_raises_has_failed_and_the_next_is_run(lane, problem):
    passed, failed, out = ran([Stage("bad", raising(problem), lane), good(lane=lane)])
    assert (passed, failed) == (1, 1)
    assert type(problem).__name__ in out and "test_lanes.py" in out


@pytest.mark.parametrize("lane", ["front", "beside", "behind"])
def test_a_lane_that_dies_takes_no_stage_with_it(lane):
    passed, failed, out = ran([good("first", lane), Stage("dies", raising(SystemExit(0)), lane),
                               good("never", lane), good("else", "behind" if lane == "front" else "front")])
    assert (passed, failed) == (2, 2)
    assert out.count("not run") == 2 and "SystemExit" in out


def test_a_lane_that_cannot_begin_has_failed():
    def make_run(lane):
        if lane == "behind":
            raise OSError("no room")
        return Run()

    assert ran([good(), good("lost", "behind"), good("lost too", "behind")], make_run)[:2] == (1, 2)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_screen_that_fails_hides_no_failure():
    class Closed(Screen):
        def say(self, text, end="\n"):
            raise BrokenPipeError

    passed, failed = run_stages([good("one"), good("two", "behind"), good("three"), good("four")],
                                lambda lane: Run(), Closed(4, io.StringIO()))
    assert failed >= 1 and passed + failed == 4


def test_what_tests_nothing_has_failed():
    assert ran([Stage("empty", lambda run: Result())])[:2] == (0, 1)
    assert ran([Stage("skips", lambda run: Result(left_out={"no reason": 7}))])[:2] == (0, 1)


def test_a_stage_waits_for_its_build_in_the_other_lane_and_says_so():
    built, waits = threading.Event(), threading.Event()

    class Watched(Screen):
        def say(self, text, end="\n"):
            super().say(text, end)
            if "waits for" in text:
                waits.set()

    def build(run):
        assert waits.wait(60)
        built.set()
        return Result(passed=1)

    stages = [Stage("test", lambda run: Result(passed=int(built.is_set() and "b" in run.builds)),
                    needs="b"), Stage("build", build, "behind", builds="b")]
    out = io.StringIO()
    assert run_stages(stages, lambda lane: Run(), Watched(2, out)) == (2, 0)
    assert "front: 'test' waits for 'build'" in out.getvalue()


@pytest.mark.parametrize("work", [lambda run: Result(failed=1), raising(OSError("no compiler")),
                                  raising(SystemExit(0))])
def test_without_its_build_a_stage_is_not_run_and_has_failed(work):
    asked = []
    stages = [Stage("build", work, "behind", builds="b"),
              Stage("test", lambda run: asked.append(1) or OK, needs="b"),
              Stage("beside", lambda run: asked.append(1) or OK, "behind", needs="b"), good()]
    assert ran(stages)[:2] == (1, 3)
    assert asked == []


def test_a_stage_whose_build_was_not_chosen_builds_by_itself():
    assert ran([good(needs="b")])[:2] == (1, 0)


def test_stages_that_wait_for_each_other_are_refused():
    stages = [Stage("a", lambda run: OK, needs="y", builds="x"),
              Stage("b", lambda run: OK, "behind", needs="x", builds="y")]
    assert stuck(stages) == ["a", "b"]
    with pytest.raises(ValueError, match="a, b"):
        ran(stages)
    assert stuck([Stage("c", lambda run: OK, "aside")]) == ["c"]


def test_the_stages_of_dev_test_never_wait_for_ever():
    assert stuck(program.STAGES) == [] and stuck([s for s in program.STAGES if s.quick]) == []
    for stage in program.STAGES:
        assert stuck([s for s in program.STAGES if s.name != stage.name]) == []
    built = {s.builds for s in program.STAGES if s.builds} | {""}
    assert {s.needs for s in program.STAGES} <= built <= set(core.FOLDERS) | {""}


def test_the_lanes_behind_and_beside_are_nice_and_the_one_in_front_is_not():
    shown = {}

    def look(run):
        lane = threading.current_thread().name
        shown[lane] = run.command(f"nice {lane}", ["nice"])[1].strip()
        return OK

    ran([Stage("a", look), Stage("b", look, "beside"), Stage("c", look, "behind")])
    mine = os.nice(0)
    assert shown == {lane: str(min(19, mine + nice)) for lane, nice in lanes.NICE.items()}
    assert lanes.NICE["front"] == 0 < lanes.NICE["beside"] < lanes.NICE["behind"]


def test_lanes_share_no_folder_for_temporary_files():
    seen = []

    def look(run):
        seen.append(pathlib.Path(run.command("pwd " + threading.current_thread().name,
                                             ["sh", "-c", "mktemp"])[1].strip()).parent)
        return OK

    ran([Stage("a", look), Stage("b", look, "beside"), Stage("c", look, "behind")])
    assert len(set(seen)) == 3 and not any(folder.exists() for folder in seen)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(logs):
    with Run() as run:
        code, text = run.command("slow", ["sh", "-c", "setsid sleep 100 & echo $!; sleep 100"], timeout=6)
    assert code == 124 and "took more than 6 s" in text
    assert is_gone(int(text.split()[0]))


def test_the_processor_time_of_a_command_is_known():
    with Run() as run:
        # A second of the processor's, however long it has to wait for it.
        run.command("busy", ["sh", "-c", "sh -c 'ulimit -c 0; ulimit -t 1; while :; do :; done'; true"])
        assert 0.5 < run.processor < 10
        assert run.command("false", ["false"])[0] == 1


STARTS = """
import os, sys, pathlib
sys.path.insert(0, {tests!r})
import run
from runner import core, lanes, processes
from runner.core import Result
core.LOGS, processes.GRACE = pathlib.Path({logs!r}), {grace}
def long(name):
    def work(r):
        r.command(name, ["sh", "-c", {shell!r}])
        return Result(passed=1)
    return work
run.STAGES[:] = [lanes.Stage("a", long("a")), lanes.Stage("b", long("b"), "behind"),
                 lanes.Stage("c", lambda r: Result(passed=1))]
sys.argv = ["run"]
sys.exit(run.main())
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("shell", ["echo $$; trap 'echo torn down; exit' INT; sleep 300 & echo $! >&2; wait",
                                   "setsid sleep 300 & echo $! $$; trap '' INT; sleep 300"])
def test_an_interrupted_run_ends_everything_and_has_failed(logs, number, shell):
    grace = 60 if "torn down" in shell else 1  # the other one does not hear
    text = STARTS.format(tests=str(core.ROOT / "tests"), logs=str(logs), shell=shell, grace=grace)
    # In the background of a script, as under nohup, SIGINT is ignored, and shells leave it so.
    process = subprocess.Popen([sys.executable, "-c", text], stdout=subprocess.PIPE, text=True,
                               start_new_session=True,
                               preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    pids = [pid for name in "ab" for pid in wait_numbers(logs / f"{name}.log")]
    process.send_signal(number)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 130, out
    assert out.splitlines()[-1] == "0 passed, 3 failed" and "interrupted" in out
    assert all(is_gone(pid) for pid in pids)
    if "torn down" in shell:  # asked first, as pytest is that has shops to end
        assert all("torn down" in (logs / f"{name}.log").read_text() for name in "ab")


def wait_numbers(path):
    """Two of them."""
    deadline = time.monotonic() + 60
    while not (path.exists() and len(path.read_text().split()) == 2):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return map(int, path.read_text().split())


def is_gone(pid):
    deadline = time.monotonic() + 60
    while (stat := processes.fields(pid)) and stat[0] not in "ZX":
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def test_reasons_for_leaving_out_are_counted_and_shown(tmp_path):
    (tmp_path / "test_x.py").write_text(
        "import pytest\n@pytest.mark.parametrize('n', range(3))\ndef test_a(n):\n    pytest.skip('not here')\n"
        "def test_b():\n    pass\n")
    with Run() as run:
        result = e2e.pytest(run, "some", [str(tmp_path)])
    assert (result.passed, result.failed, result.left_out) == (1, 0, {"not here": 3})
    assert "        left out 3: not here" in ran([Stage("a", lambda r: result)])[2]


def test_what_valgrind_leaves_out_is_shown(monkeypatch):
    name = next(iter(unit.NOT_UNDER_VALGRIND))
    monkeypatch.setattr(unit, "unless_built", lambda run, folder: None)
    monkeypatch.setattr(unit, "programs", lambda folder: [{"name": name}, {"name": "other"}])
    result = unit.every(Run(), "b", "k", lambda t: Result(passed=1), unit.NOT_UNDER_VALGRIND)
    assert result.passed == 1 and name in next(iter(result.left_out))


def test_progress_is_read_from_the_end_of_a_log(tmp_path):
    log = tmp_path / "log"
    log.write_text("x" * 5000 + "\n.......... [  7%]\n.......... [ 42%]\n...")
    assert progress(log) == "42%"
    log.write_text("[1/600] a\n[17/600] b\n")
    assert progress(log) == "17/600"
    assert progress(None) == progress(tmp_path / "none") == ""


def test_on_a_terminal_what_runs_is_shown():
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    out, screen = Terminal(), None
    screen = Screen(1, out)
    with screen:
        run_stages([Stage("long", lambda run: is_shown(out, "long: ") and Result(passed=1))],
                   lambda lane: Run(), screen)
    assert "[ 1/1] long" in out.getvalue()


def is_shown(out, text):
    deadline = time.monotonic() + 60
    while text not in out.getvalue() and time.monotonic() < deadline:
        time.sleep(0.05)
    return text in out.getvalue()
