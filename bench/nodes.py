"""The cost of a call to a plugin on another node, over loopback. A request makes so many calls one
after the other; its time divided by their number is one figure. Beside each the time of bare sockets: most
of both is two processors that wake each other.
SPDX-License-Identifier: Apache-2.0"""
import json
import shutil
import subprocess
import time
import urllib.request

from measure import BUILD, LOAD_CORE, ROOT, SERVER_CORE, new_folder, spawn, stop
from support.shop import free_ports

CALLS, ROUNDS = 1000, 21  # the first two rounds are not counted
BYTES_THERE, BYTES_BACK = 577, 293  # of a call of /hello and its reply
CONFIG = """
local stoa = require "stoa"
return stoa.config {{
  development = true, loops = 1, plugin_path = "{plugins}", trust = {{ all = true }},
  migration_path = "{root}/migrations", theme_path = "{root}/themes",
  resources = {{ sql = stoa.sqlite {{}} }}, plugins = {{ caller = {{}}, hello = {{}} }},
  nodes = {{ {nodes} }}, cluster = {{ key = "a key that only this benchmark has" }},
  rate = {{ requests = 0 }}, log = {{ format = "json", file = "{log}" }},
}}
"""


def open_node(config, name: str, core: str):
    """Returns the process and its port."""
    folder = config.parent / name
    process = spawn(core, str(BUILD / "stoa"), "run", "--single", "-c", str(config), "--data", str(folder),
                    "--node", name)
    log, until = config.parent / "log", time.monotonic() + 30
    while time.monotonic() < until:
        for line in log.read_text().splitlines() if log.exists() else []:
            entry = json.loads(line)
            if entry.get("message") == "the shop is open" and (folder / "control.sock").exists():
                return process, int(entry["url"].rpartition(":")[2])
        time.sleep(0.05)
    raise RuntimeError(f"node {name} did not open; see {log}")


def one_round(port: int) -> float:
    began = time.perf_counter()
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/bench/call/{CALLS}", timeout=60) as reply:
        assert json.load(reply)["calls"] == CALLS
    return (time.perf_counter() - began) / CALLS * 1e6


def bare_round() -> float:
    """As many bytes between two processes that do nothing else."""
    command = [str(BUILD / "bench/pair"), SERVER_CORE, LOAD_CORE, str(BYTES_THERE), str(BYTES_BACK), str(CALLS)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout)


def write_config(nodes: str):
    folder = new_folder("nodes")
    for so in (BUILD / "bench/caller.so", BUILD / "examples/hello/hello.so"):
        shutil.copy(so, folder / so.name)
    config = folder / "config.lua"
    config.write_text(CONFIG.format(plugins=folder, root=ROOT, nodes=nodes, log=folder / "log"))
    return config


def measure(config, names: list[str]) -> tuple[list[float], list[float]]:
    """The last of names is asked. Microseconds a call, by round; and those of bare sockets."""
    started = []
    for name, core in zip(names, (LOAD_CORE, SERVER_CORE)):
        (config.parent / "log").unlink(missing_ok=True)
        started.append(open_node(config, name, core))
    rounds = [(one_round(started[-1][1]), bare_round()) for _ in range(ROUNDS + 2)][2:]
    for process, _ in started:
        stop(process)
    ours, bare = zip(*rounds)
    return list(ours), list(bare)


def time_calls() -> tuple[list[float], list[float]]:
    nodes = ", ".join(
        f'{name} = {{ listen = {{ "127.0.0.1:{port}" }}, reach = "http://127.0.0.1:{port}", run = {{ "{plugin}" }} }}'
        for name, plugin, port in zip(("asked", "asking"), ("hello", "caller"), free_ports(2)))
    return measure(write_config(nodes), ["asked", "asking"])
