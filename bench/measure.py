"""bench/measure.py: processes pinned to a core, load from the other, and the kernel's own accounts.
SPDX-License-Identifier: Apache-2.0"""
import atexit
import contextlib
import ctypes
import dataclasses
import json
import os
import pathlib
import re
import resource
import shutil
import signal
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-bench"
SERVER_CORE, LOAD_CORE = "0", "1"
ROUND_SECONDS = 3  # the kernel counts CPU in steps of 10 ms
TICK = os.sysconf("SC_CLK_TCK")
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

CONFIG = """
local stoa = require "stoa"
return stoa.config {{
  shop = {{ name = "Bench", url = "http://127.0.0.1:8080", currency = "EUR" }},
  development = {development}, loops = 1, plugin_path = "{plugins}", trust = {{ all = true }},
  migration_path = "{root}/migrations", theme_path = "{root}/themes",
  resources = {{ sql = {sql} }},
  plugins = {{ user = {{}}, product = {{ cache_ms = {cache_ms} }}, order = {{}}, payment = {{}},
              shipping = {{}}, notification = {{}}, storefront = {{ theme = "aurora" }}, hello = {{}}, {more} }},
  nodes = {{ all = {{ listen = {{ "127.0.0.1:0" }} }} }},
  rate = {{ requests = 0 }},
  limits = {{ connections = 15000, connections_per_address = 15000, in_flight = 15000,
             in_flight_per_address = 15000 }},
  log = {{ format = "json", file = "{log}" }},
}}
"""
RAISED = ["rate.requests (off)", "limits.connections 15000", "limits.connections_per_address 15000",
          "limits.in_flight 15000", "limits.in_flight_per_address 15000"]


# ---- Nothing outlives a benchmark, however it ends ----

processes: list[subprocess.Popen] = []
folders: list[pathlib.Path] = []


@atexit.register
def end_what_was_started() -> None:
    for process in processes:
        if process.poll() is None:
            process.kill()
            process.wait()
    for folder in folders:
        shutil.rmtree(folder, ignore_errors=True)


def prepare() -> str:
    """Takes all descriptors it may have; keeps itself off the server's core. Says what was raised."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    os.sched_setaffinity(0, {int(LOAD_CORE)})
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, end_early)
    return f"open files {hard}"


def end_early(number, _frame) -> None:
    for again in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)


def die_with_parent() -> None:
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def spawn(core: str, *command: str, **options) -> subprocess.Popen:
    process = subprocess.Popen(["taskset", "-c", core, *command], preexec_fn=die_with_parent, **options)
    processes.append(process)
    return process


def run(*command: str, timeout: float = 120) -> subprocess.CompletedProcess:
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=timeout)


def new_folder(what: str) -> pathlib.Path:
    folder = pathlib.Path(tempfile.mkdtemp(prefix=f"stoa-{what}-"))
    folders.append(folder)
    return folder


def stop(process: subprocess.Popen) -> None:
    process.terminate()
    try:
        process.wait(30)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    processes.remove(process)


# ---- HTTP by hand ----

def exchange(port: int, path: str) -> bytes:
    """All the bytes of an answer."""
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        return b"".join(iter(lambda: s.recv(65536), b""))


def get(port: int, path: str) -> tuple[int, list[tuple[str, str]], bytes]:
    head, _, body = exchange(port, path).partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), [tuple(l.split(": ", 1)) for l in lines[1:]], body


def without_date(answer: bytes) -> bytes:
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer, count=1)


def wait_for_page(port: int, path: str, process: subprocess.Popen) -> None:
    """Until path answers 200; asks every millisecond."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(OSError, ValueError, IndexError):
            if get(port, path)[0] == 200:
                return
        time.sleep(0.001)
    raise SystemExit("bench: the server did not answer")


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


# ---- The two servers ----

class Server:
    """The shop, one loop, on the server's core."""

    def __init__(self, sql: str = "stoa.sqlite {}", cache_ms: int = 60000, development: bool = False,
                 more: str = ""):
        self.folder = new_folder("bench")
        plugins = self.folder / "plugins"
        plugins.mkdir()
        for so in [*BUILD.glob("examples/*/*.so"), BUILD / "bench/caller.so"]:  # the shop's own are beside the binary
            shutil.copy(so, plugins / so.name)
        (self.folder / "config.lua").write_text(CONFIG.format(
            root=ROOT, plugins=plugins, sql=sql, cache_ms=cache_ms, log=self.folder / "log", more=more,
            development=str(development).lower()))
        for command in ("migrate", "seed"):
            run(*self.command(command))
        self.start()

    def command(self, name: str) -> list[str]:
        return [str(BUILD / "stoa"), name, "-c", str(self.folder / "config.lua"), "--data",
                str(self.folder / "data")]

    def start(self, supervised: bool = False) -> float:
        """Milliseconds from the spawn to the first 200 of a page. What is measured is one process:
        a supervisor does nothing but wait."""
        self.port = free_port()
        began = time.monotonic()
        self.process = spawn(SERVER_CORE, *self.command("run"), *([] if supervised else ["--single"]),
                             "--listen", f"127.0.0.1:{self.port}",
                             stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_page(self.port, "/", self.process)
        return (time.monotonic() - began) * 1000

    def halt(self) -> None:
        stop(self.process)

    def stop(self) -> None:
        self.halt()
        shutil.rmtree(self.folder)

    def sqlite_file(self) -> pathlib.Path:
        return next((self.folder / "data").glob("*.db"))

    def rss_kib(self) -> int:
        return rss_kib(self.process.pid)


class Bare:
    """libh2o alone, sending the same bytes."""

    OWN = {"date", "connection", "content-length", "content-type", "server"}

    def __init__(self, path: str, headers: list[tuple[str, str]], body: bytes):
        self.folder = new_folder("bare")
        (self.folder / "body").write_bytes(body)
        command = [str(BUILD / "bench" / "bare"), "0"]
        for name, value in headers:
            if name.lower() not in self.OWN:
                command += ["--header", f"{name}: {value}"]
        kind = next(value for name, value in headers if name.lower() == "content-type")
        command += ["--body", path, str(self.folder / "body"), kind]
        self.process = spawn(SERVER_CORE, *command, stdout=subprocess.PIPE, text=True)
        self.port = int(self.process.stdout.readline().rpartition(":")[2])

    def stop(self) -> None:
        stop(self.process)
        shutil.rmtree(self.folder)


@contextlib.contextmanager
def postgresql():
    """A cluster that syncs to disk; yields its URL and the postmaster's process id. A watcher stops
    it once its own input ends, which it does when this process is killed, too."""
    script, folder = str(ROOT / "tests" / "servers" / "postgresql"), new_folder("bench-pg")
    folder.chmod(0o755)
    cluster = str(folder / "cluster")
    watcher = subprocess.Popen(["sh", "-c", 'cat >/dev/null; "$0" stop "$1"', script, cluster],
                               stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                               stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        url = run(script, "start", cluster, "fsync").stdout.strip()
        yield url, int((folder / "cluster" / "data" / "postmaster.pid").read_text().split()[0])
    finally:
        watcher.stdin.close()
        watcher.wait(60)


# ---- The kernel's accounts ----

def stat_fields(pid: int) -> list[str]:
    return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def cpu_seconds(pid: int) -> float:
    fields = stat_fields(pid)
    return (int(fields[11]) + int(fields[12])) / TICK


def family_cpu_seconds(pid: int) -> float:
    """Of a process, its children, and those that have ended."""
    total = 0.0
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                fields = stat_fields(int(entry.name))
                if int(entry.name) == pid:
                    total += sum(map(int, fields[11:15])) / TICK
                elif int(fields[1]) == pid:
                    total += sum(map(int, fields[11:13])) / TICK
    return total


def machine_cpu_seconds() -> float:
    """Of all processes: without idling, waiting and interrupts (loopback is served in those)."""
    user, nice, system, _idle, _iowait, _irq, _softirq, steal = map(
        int, pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9])
    return (user + nice + system + steal) / TICK


def rss_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


class Noise:
    """Foreign CPU: what others used of all cores while something was measured."""

    LIMIT, TRIES = 0.10, 3

    def __init__(self):
        self.shares: list[float] = []
        self.repeated = self.kept = 0
        self.own: list[int] = []  # more processes that are part of what is measured

    def mark(self, pid: int) -> tuple[float, float, float]:
        us = resource.getrusage(resource.RUSAGE_CHILDREN), resource.getrusage(resource.RUSAGE_SELF)
        own = cpu_seconds(pid) + sum(u.ru_utime + u.ru_stime for u in us)
        return time.monotonic(), machine_cpu_seconds(), own + sum(map(family_cpu_seconds, self.own))

    def since(self, before: tuple[float, float, float], pid: int) -> float:
        wall, all_, own = (now - then for now, then in zip(self.mark(pid), before))
        return max(0.0, (all_ - own) / (wall * os.cpu_count()))

    def quiet(self, measure):
        """measure() → (result, share); again when others were busy, and then the quietest."""
        results = []
        while len(results) <= self.TRIES:
            results.append(measure())
            if results[-1][1] <= self.LIMIT:
                break
        self.repeated += len(results) - 1
        result, share = min(results, key=lambda r: r[1])
        self.kept += share > self.LIMIT
        self.shares.append(share)
        return result

    def text(self) -> str:
        if not self.shares:
            return "Foreign CPU: not measured"
        return (f"Foreign CPU during measurements: median {statistics.median(self.shares):.1%}, worst "
                f"{max(self.shares):.1%}; rounds repeated because of it: {self.repeated}; kept though "
                f"above {self.LIMIT:.0%}: {self.kept}")


noise = Noise()


# ---- Load ----

@dataclasses.dataclass
class Load:
    """What wrk saw, and what the server's process cost meanwhile."""
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # server CPU per request
    errors: int
    requests: int


UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


def milliseconds(text: str) -> float:
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def parse(text: str, cpu: float) -> Load:
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Load(rps=float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
                p50_ms=milliseconds(re.search(r"^ +50% +(\S+)", text, re.M).group(1)),
                p99_ms=milliseconds(re.search(r"^ +99% +(\S+)", text, re.M).group(1)),
                cpu_us=cpu * 1e6 / max(requests, 1),
                errors=(int(bad.group(1)) if bad else 0) + sum(map(int, sockets.groups() if sockets else ())),
                requests=requests)


def wrk(pid: int, url: str, seconds: float = ROUND_SECONDS, connections: int = 64,
        script: pathlib.Path | None = None, watch=None) -> tuple[Load, float]:
    """The load, and the share of the CPU that others took. watch() is called all the while."""
    command = ["wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--latency", "--timeout", "30s"]
    mark, before, deadline = noise.mark(pid), cpu_seconds(pid), time.monotonic() + seconds + 60
    process = spawn(LOAD_CORE, *command, *(["-s", str(script)] if script else []), url,
                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    while watch and process.poll() is None and time.monotonic() < deadline:
        watch()
        time.sleep(0.02)
    text = process.communicate(timeout=max(1, deadline - time.monotonic()))[0]
    processes.remove(process)
    if process.returncode != 0:
        raise SystemExit(f"bench: wrk failed:\n{text}")
    return parse(text, cpu_seconds(pid) - before), noise.since(mark, pid)


def median(loads: list[Load]) -> Load:
    """Figure by figure; errors are added up."""
    return Load(*(statistics.median(getattr(l, f.name) for l in loads) for f in dataclasses.fields(Load)[:4]),
                errors=sum(l.errors for l in loads), requests=sum(l.requests for l in loads))


def progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
