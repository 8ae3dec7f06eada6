"""R23: with haproxy in front and one connection behind it for everybody, both must see the same
requests. SPDX-License-Identifier: Apache-2.0"""
import json
import shutil
import socket
import subprocess

import pytest
import wire
from test_framing import SMUGGLING, TAKEN

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin")
pytestmark = pytest.mark.skipif(not HAPROXY, reason="haproxy is not installed")

CONFIG = """
global
  maxconn 200
defaults
  mode http
  timeout client 30s
  timeout server 30s
  timeout connect 30s
  timeout http-request 30s
frontend front
  bind fd@{fd}
  option accept-invalid-http-request
  default_backend back
backend back
  http-reuse always
  option accept-invalid-http-response
  server stoa {host}:{port} maxconn 1
"""


@pytest.fixture
def front(serve, tmp_path):
    server = serve(loops=1)  # its log has everything in its order
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen(50)
    config = tmp_path / "haproxy.cfg"
    config.write_text(CONFIG.format(fd=listener.fileno(), host=server.address[0],
                                    port=server.address[1]))
    process = subprocess.Popen([HAPROXY, "-q", "-db", "-f", config],
                               pass_fds=[listener.fileno()], stderr=subprocess.DEVNULL)
    proxy = wire.Server(listener.getsockname(), log=server.log)
    wire.eventually(lambda: proxy.get("/hello").status == 200)
    yield proxy
    process.kill()
    process.wait()
    listener.close()


def paths_seen(server):
    """But for the victims' own."""
    with open(server.log) as f:
        lines = [json.loads(line) for line in f if line.endswith("\n")]
    paths = [line["path"] for line in lines if "path" in line]
    return [path for path in paths if path != "/hello"]


def replies_of_ours(c):
    """Those that carry our headers; haproxy's own refusals do not."""
    ours = 0
    try:
        while True:
            ours += c.reply().header("x-content-type-options") is not None
    except (wire.Closed, socket.timeout):
        return ours


def seen_since(server, before):
    """The log is written once a turn: it is whole up to a request that came later."""
    marker = f"/marker-{before}"
    assert server.get(marker).status == 404
    wire.eventually(lambda: marker in paths_seen(server))
    paths = paths_seen(server)
    return paths[before:paths.index(marker)]


def test_front_and_stoa_agree_on_where_requests_end(front):
    for name, raw in {**SMUGGLING, **{k: v[0] for k, v in TAKEN.items()}}.items():
        before = len(paths_seen(front))
        with front.connect(timeout=3) as c:
            c.send(raw + b"GET /smuggled HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            ours = replies_of_ours(c)
        victim = front.get("/hello")
        assert (victim.status, victim.body) == (200, b"Hello, world"), name
        seen = seen_since(front, before)
        assert len(seen) == ours, f"{name}: {ours} replies, but Stoa saw {seen}"
