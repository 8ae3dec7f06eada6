"""A shop: the real binary in a folder of its own, on a port of its own, on SQLite or PostgreSQL.

Environment (set by tests/run.py): STOA_BUILD, the build folder; STOA_TEST_SQL, sqlite or postgresql;
STOA_TEST_PORT, local, loopback, sandbox, or nodes (every plugin on a node of its own, visitors at a gateway;
PostgreSQL only); STOA_TEST_PG, URL of a cluster in which databases may be made; STOA_TEST_COLLATION, an
ICU locale by which PostgreSQL orders texts there (otherwise as the cluster does: by their bytes).
SPDX-License-Identifier: Apache-2.0
"""
import json
import os
import pathlib
import random
import re
import shutil
import signal
import socket
import subprocess
import threading
import time
import uuid

from support.control import serving

ROOT = pathlib.Path(__file__).resolve().parents[3]
START_TIMEOUT = 60  # seconds; sanitizers and a busy machine are slow

CONFIG = """
local stoa = require "stoa"
return stoa.config {{
  shop = {{ name = "Test Shop", url = "http://127.0.0.1:8080", currency = "EUR", locales = {{ "en" }} }},
  migration_path = "{root}/migrations", theme_path = "{root}/themes",
  port = "{port}",
  resources = {{ sql = {sql}, cache = stoa.memory {{ max = "16MiB" }} }},
  plugins = {{ user = {{}}, product = {{ {product} }}, order = {{ {order} }}, payment = {{ provider = "sandbox" }},
              shipping = {{}}, notification = {{}}, storefront = {{ theme = "aurora" }}, {plugins} }},
  nodes = {{ {nodes} }},
  limits = {{ event_backoff = "50ms", {limits} }},
  rate = {{ {rate} }},
  log = {{ format = "json", level = "info" }},
  {more}
}}
"""


def build_folder() -> pathlib.Path:
    return pathlib.Path(os.environ.get("STOA_BUILD", ROOT / "build"))


def binary() -> str:
    return str(build_folder() / "stoa")


def collect_plugins(folder: pathlib.Path) -> pathlib.Path:
    """Every plugin that was built, the examples too, as plain files in one folder."""
    folder.mkdir()
    for so in [*build_folder().glob("plugins/*/*.so"), *build_folder().glob("examples/*/*.so")]:
        shutil.copy(so, folder / so.name)
    return folder


def database_kind() -> str:
    return os.environ.get("STOA_TEST_SQL", "sqlite")


def make_database() -> str:
    """A new, empty PostgreSQL database; returns its URL."""
    cluster = os.environ["STOA_TEST_PG"]
    name = "t" + uuid.uuid4().hex[:16]
    locale = os.environ.get("STOA_TEST_COLLATION")
    order = f" TEMPLATE template0 LOCALE_PROVIDER icu ICU_LOCALE '{locale}'" if locale else ""
    subprocess.run(["psql", "-q", cluster, "-c", f"CREATE DATABASE {name}{order}"], check=True,
                   capture_output=True)
    head, _, tail = cluster.partition("?")
    return f"{head.rsplit('/', 1)[0]}/{name}" + (f"?{tail}" if tail else "")


ONE_NODE = 'all = { listen = { "127.0.0.1:0" }, run = "*" }'
PLUGINS = ["user", "product", "order", "payment", "shipping", "notification", "storefront"]
CLUSTER = 'cluster = { key = "a key that only the nodes of a test have" },'


_claims: dict[int, socket.socket] = {}  # by port; held as long as this process lives


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on. They lie below those that the kernel hands out by itself (port 0,
    outgoing connections), and no other run of these tests is given them: nothing takes one before it is used."""
    range_text = pathlib.Path("/proc/sys/net/ipv4/ip_local_port_range").read_text()
    first = max(20000, int(range_text.split()[0]))
    ports: list[int] = []
    while len(ports) < count:
        port = random.randrange(first // 2, first)
        if port not in _claims and claim(port) and is_free(port):
            ports.append(port)
    return ports


def claim(port: int) -> bool:
    """An abstract name (unix(7)) is one process's on the whole machine, and goes with it."""
    name = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        name.bind(f"\0stoa-test-port-{port}")
    except OSError:
        name.close()
        return False
    _claims[port] = name
    return True


def is_free(port: int) -> bool:
    with socket.socket() as s:
        try:
            s.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def node_text(name: str, port: int, run: list[str], reach: bool = True) -> str:
    """A node of config.lua."""
    names = ", ".join(f'"{plugin}"' for plugin in run)
    at = f'reach = "http://127.0.0.1:{port}", ' if reach else ""
    return f'{name} = {{ listen = {{ "127.0.0.1:{port}" }}, {at}run = {{ {names} }} }}'


def is_spread() -> bool:
    return os.environ.get("STOA_TEST_PORT") == "nodes"


def spread_nodes(plugins: str) -> tuple[str, list[str]]:
    """A gateway, and a node for each plugin; the nodes' text and their names."""
    names = PLUGINS + re.findall(r"(\w+) = \{", plugins)
    texts = [node_text(n, port, [n]) for n, port in zip(names, free_ports(len(names)))]
    return ", ".join(['gate = { listen = { "127.0.0.1:0" }, run = {} }', *texts]), names


class Shop:
    """start() → use → stop() or kill(); may be started again on the same data."""

    def __init__(self, folder: pathlib.Path, sql: str | None = None, env: dict | None = None,
                 **config: str):
        self.folder = folder
        self.data = folder / "data"
        self.config = folder / "config.lua"
        self.env = dict(env or {})
        self.process: subprocess.Popen | None = None
        self.lines: list[dict | str] = []
        self.changed = threading.Condition()
        kind = sql or database_kind()
        self.database = make_database() if kind == "postgresql" else None
        resource = f'stoa.postgresql {{ url = "{self.database}" }}' if self.database else "stoa.sqlite {}"
        values = {"port": os.environ.get("STOA_TEST_PORT", "local"), "product": "", "order": "",
                  "limits": "", "plugins": "", "rate": "requests = 0", "more": "", "nodes": ONE_NODE,
                  **config}
        if "plugin_path" in values["more"] and "trust = " not in values["more"]:
            values["more"] += " trust = { all = true },"  # copies: they did not come with the binary
        self.node = None  # the name of the node that visitors reach, where there are several
        self.others: list["Shop"] = []
        if values["port"] == "nodes":
            self._spread(values)
        self.config.write_text(CONFIG.format(root=ROOT, sql=resource, **values))

    def _spread(self, values: dict) -> None:
        """Each other node is a Shop of its own, which shares this one's file and log."""
        if not self.database:
            raise ValueError("nodes share a PostgreSQL; set STOA_TEST_SQL=postgresql")
        values["port"] = "local"
        if values["nodes"] != ONE_NODE:
            return
        values["nodes"], names = spread_nodes(values["plugins"])
        values["more"] += f" loops = 1, sql = {{ connections = 10 }}, {CLUSTER}"
        self.node = "gate"
        self.others = [self.node_at(name) for name in names]
        self.data.mkdir()
        mail = self.of("notification").data / "mail"
        mail.mkdir(parents=True)
        (self.data / "mail").symlink_to(mail)

    def node_at(self, name: str) -> "Shop":
        """Another node of the same file, with a data folder of its own."""
        one = object.__new__(Shop)
        one.__dict__.update(self.__dict__)
        one.node, one.others, one.process = name, [], None
        one.data = self.folder / f"data-{name}"
        one.lines, one.changed = [], threading.Condition()
        return one

    def of(self, plugin: str) -> "Shop":
        """The node that runs the plugin."""
        return next((n for n in self.others if n.node == plugin), self)

    # ---- the command line ----

    def cli(self, *args: str, check: bool = True) -> subprocess.CompletedProcess:
        done = subprocess.run([binary(), args[0], "-c", str(self.config), "--data", str(self.data),
                               *args[1:]], capture_output=True, text=True, timeout=120)
        if check and done.returncode != 0:
            raise AssertionError(f"stoa {' '.join(args)}: {done.returncode}\n{done.stdout}{done.stderr}")
        return done

    def prepare(self) -> "Shop":
        self.cli("migrate")
        self.cli("seed")
        return self

    def audit(self) -> dict:
        """The auditor's report; fails on findings."""
        done = self.cli("audit", "--json", check=False)
        report = json.loads(done.stdout)
        assert report["findings"] == [], report["findings"]
        return report

    # ---- the process ----

    def start(self, *args: str, env: dict | None = None) -> "Shop":
        for other in self.others:
            if not other.is_running():
                other.launch(env=env)
        for other in self.others:
            other.await_open()
        return self.launch(*args, env=env).await_open()

    def launch(self, *args: str, env: dict | None = None) -> "Shop":
        """Without waiting until it is open: a supervisor and its worker. A shop that kills itself at a
        fault point is one process: a worker that is started again would do it again."""
        environment = {**os.environ, **self.env, **(env or {})}
        if "=kill" in environment.get("STOA_FAULT", ""):
            args = ("--single", *args)
        self.lines = []
        named = ["--node", self.node] if self.node else []
        self.process = subprocess.Popen(
            [binary(), "run", "-c", str(self.config), "--data", str(self.data), *named, *args],
            stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True, env=environment)
        threading.Thread(target=self._read, args=(self.process,), daemon=True).start()
        return self

    def await_open(self) -> "Shop":
        line = self.wait_log(lambda l: l.get("message") == "the shop is open", START_TIMEOUT)
        self.host, _, port = line["url"].rpartition("://")[2].rpartition(":")
        self.port = int(port)
        return self

    def _read(self, process: subprocess.Popen) -> None:
        for text in process.stderr:
            try:
                line = json.loads(text)
            except ValueError:
                line = {"text": text.rstrip("\n")}
            with self.changed:
                self.lines.append(line)
                self.changed.notify_all()
        with self.changed:
            self.lines.append({"end": True})
            self.changed.notify_all()

    def wait_log(self, wanted, timeout: float = 60, since: int = 0) -> dict:
        """The first log line that wanted(line) accepts."""
        deadline = time.monotonic() + timeout
        seen = since
        with self.changed:
            while True:
                for line in self.lines[seen:]:
                    if wanted(line):
                        return line
                    if line.get("end"):
                        raise AssertionError("the shop ended: " + self.talk())
                seen = len(self.lines)
                left = deadline - time.monotonic()
                if left <= 0 or not self.changed.wait(left):
                    raise AssertionError("not in the log: " + self.talk())

    def talk(self) -> str:
        return "\n".join(json.dumps(l) for l in self.lines if l.get("area") != "http")[-4000:]

    def worker(self) -> int:
        """The process that serves; waits for one while it is being started."""
        return serving(self)["worker"]

    def kill(self) -> None:
        """Supervisor and worker: the worker ends with its supervisor."""
        for other in self.others:
            other.kill()
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.wait()

    def wait(self, timeout: float = 60) -> int:
        code = self.process.wait(timeout)
        with self.changed:
            self.changed.wait_for(lambda: any(l.get("end") for l in self.lines), timeout)
        return code

    def stop(self) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        code = self.wait()
        return max([code, *(other.stop() for other in self.others)], key=abs)

    def is_running(self) -> bool:
        return self.process is not None and self.process.poll() is None and \
            all(other.is_running() for other in self.others)
