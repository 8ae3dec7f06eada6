"""bench/measure.py: processes pinned to a core, load from the other, and the kernel's own accounts.
SPDX-License-Identifier: Apache-2.0"""
import atexit
import dataclasses
import json
import os
import pathlib
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
BUILD = ROOT / "build-bench"
SERVER_CORE, LOAD_CORE = "0", "1"
sys.path.insert(0, str(ROOT / "tests" / "e2e"))

CONFIG = """
local stoa = require "stoa"
return stoa.config {{
  shop = {{ name = "Bench", url = "http://127.0.0.1:8080", currency = "EUR" }},
  development = {development}, loops = {loops}, plugin_path = "{plugins}",
  migration_path = "{root}/migrations", theme_path = "{root}/themes",
  resources = {{ sql = {sql} }},
  plugins = {{ user = {{}}, product = {{ cache_ms = {cache_ms} }}, order = {{}}, payment = {{}},
              shipping = {{}}, notification = {{}}, storefront = {{ theme = "aurora" }}, hello = {{}} }},
  nodes = {{ all = {{ listen = {{ "127.0.0.1:0" }} }} }},
  rate = {{ requests = 0 }},
  limits = {{ connections = 15000, connections_per_address = 15000, in_flight = 15000,
             in_flight_per_address = 15000 }},
  log = {{ format = "json", file = "{log}" }},
}}
"""
RAISED = ["rate.requests (off)", "limits.connections 15000", "limits.connections_per_address 15000",
          "limits.in_flight 15000", "limits.in_flight_per_address 15000"]


started: list[subprocess.Popen] = []


@atexit.register
def end_what_was_started() -> None:
    """Nothing outlives a benchmark that failed."""
    for process in started:
        if process.poll() is None:
            process.kill()


@dataclasses.dataclass
class Load:
    """What wrk saw, and what the server's process cost meanwhile."""
    rps: float
    p50_ms: float
    p99_ms: float
    cpu_us: float  # server CPU per request
    errors: int
    requests: int


def plugins_folder() -> pathlib.Path:
    """All plugins, the examples too, in one folder, as the configuration wants it."""
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stoa-bench-"))
    for so in [*BUILD.glob("plugins/*/*.so"), *BUILD.glob("examples/*/*.so")]:
        shutil.copy(so, folder / so.name)
    return folder


class Server:
    """The shop, one loop, on the server's core."""

    def __init__(self, sql: str = "stoa.sqlite {}", cache_ms: int = 60000, loops: int = 1,
                 development: bool = False):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stoa-bench-"))
        self.plugins = plugins_folder()
        self.config = self.folder / "config.lua"
        self.config.write_text(CONFIG.format(root=ROOT, plugins=self.plugins, sql=sql, loops=loops,
                                             cache_ms=cache_ms, log=self.folder / "log",
                                             development=str(development).lower()))
        for command in ("migrate", "seed"):
            subprocess.run(self.command(command), check=True, capture_output=True)
        self.start()

    def command(self, name: str) -> list[str]:
        return [str(BUILD / "stoa"), name, "-c", str(self.config), "--data", str(self.folder / "data")]

    def start(self) -> None:
        began = time.monotonic()
        self.process = subprocess.Popen(["taskset", "-c", SERVER_CORE, *self.command("run")],
                                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(self.process)
        self.port = wait_for_port(self.folder / "log", self.process)
        while not ready(self.port):
            pass
        self.start_ms = (time.monotonic() - began) * 1000

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(30)
        shutil.rmtree(self.folder)
        shutil.rmtree(self.plugins)

    def rss_kib(self) -> int:
        return rss_kib(self.process.pid)


def wait_for_port(log: pathlib.Path, process: subprocess.Popen) -> int:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline and process.poll() is None:
        for line in log.read_text().splitlines() if log.exists() else []:
            entry = json.loads(line)
            if entry["message"] == "the shop is open":
                return int(entry["url"].rpartition(":")[2])
    raise SystemExit("bench: the server did not start; its log: " + str(log))


def ready(port: int) -> bool:
    try:
        return get(port, "/readyz")[0] == 200
    except OSError:
        return False


def get(port: int, path: str, accept: str = "*/*") -> tuple[int, dict, bytes]:
    with socket.create_connection(("127.0.0.1", port), 10) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n\r\n".encode())
        data = b"".join(iter(lambda: s.recv(65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")
    return int(lines[0].split()[1]), dict(l.split(": ", 1) for l in lines[1:]), body


class Bare:
    """libh2o alone, sending the same bytes."""

    OWN = {"date", "connection", "content-length", "content-type", "server"}

    def __init__(self, headers: dict, bodies: dict[str, tuple[bytes, str]]):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="stoa-bare-"))
        with socket.socket() as s:
            s.bind(("127.0.0.1", 0))
            self.port = s.getsockname()[1]
        command = ["taskset", "-c", SERVER_CORE, str(BUILD / "bench" / "bare"), str(self.port)]
        for name, value in headers.items():
            if name.lower() not in self.OWN:
                command += ["--header", f"{name}: {value}"]
        for number, (path, (body, kind)) in enumerate(bodies.items()):
            file = self.folder / str(number)
            file.write_bytes(body)
            command += ["--body", path, str(file), kind]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        started.append(self.process)
        deadline = time.monotonic() + 10
        while time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                break
            except OSError:
                continue

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(10)
        shutil.rmtree(self.folder)


def cpu_seconds(pid: int) -> float:
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(pid: int) -> int:
    return int(re.search(r"VmRSS:\s+(\d+)", pathlib.Path(f"/proc/{pid}/status").read_text()).group(1))


UNITS = {"us": 0.001, "ms": 1, "s": 1000, "m": 60000}


def milliseconds(text: str) -> float:
    number, unit = re.match(r"([\d.]+)(us|ms|s|m)", text).groups()
    return float(number) * UNITS[unit]


def wrk(pid: int, url: str, seconds: float = 3, connections: int = 64, script: str | None = None) -> Load:
    command = ["taskset", "-c", LOAD_CORE, "wrk", "-t1", f"-c{connections}", f"-d{seconds}s",
               "--latency", "--timeout", "30s"]
    if script:
        command += ["-s", script]
    before = cpu_seconds(pid)
    text = subprocess.run([*command, url], capture_output=True, text=True, check=True).stdout
    cpu = cpu_seconds(pid) - before
    requests = int(re.search(r"(\d+) requests in", text).group(1))
    bad = re.search(r"Non-2xx or 3xx responses: (\d+)", text)
    sockets = re.search(r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", text)
    return Load(rps=float(re.search(r"Requests/sec:\s+([\d.]+)", text).group(1)),
                p50_ms=milliseconds(re.search(r"^ +50% +(\S+)", text, re.M).group(1)),
                p99_ms=milliseconds(re.search(r"^ +99% +(\S+)", text, re.M).group(1)),
                cpu_us=cpu * 1e6 / max(requests, 1),
                errors=(int(bad.group(1)) if bad else 0) + sum(map(int, sockets.groups() if sockets else ())),
                requests=requests)


def median(loads: list[Load]) -> Load:
    """Figure by figure; errors are added up."""
    return Load(*(statistics.median(getattr(l, f.name) for l in loads) for f in dataclasses.fields(Load)[:4]),
                errors=sum(l.errors for l in loads), requests=sum(l.requests for l in loads))


def progress(text: str) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r\x1b[K{text}")
        sys.stderr.flush()
