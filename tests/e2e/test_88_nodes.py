"""Several nodes, one config.lua: calls between them, their signatures, and what happens when one of
them is gone. On PostgreSQL, which nodes share. SPDX-License-Identifier: Apache-2.0"""
import hashlib
import hmac
import http.client
import http.server
import json
import os
import secrets
import signal
import threading
import time
import uuid

import pytest
from support.client import Client, Guest, new_email
from support.control import apply, ask, edit, metric, wait_until
from support.database import run_sql
from support.mail import wait_for_mail
from support.shop import CLUSTER, free_ports, node_text

pytestmark = pytest.mark.skipif(not os.environ.get("STOA_TEST_PG"), reason="nodes share a PostgreSQL")

PATH = "/_stoa/v1/call"
SKU = "AEG-MUG"
KEY = b"a key that only the nodes of a test have"
BACK = ["order", "payment", "shipping", "notification"]
FRONT = ["user", "product", "storefront"]


class Cluster:
    """A gateway, a node "front" and a node "back", in one file; further nodes by more."""

    def __init__(self, make_shop, more: str = "", back_ports: int = 1, back_runs: list[str] = BACK,
                 **options):
        self.ports = free_ports(1 + back_ports)
        back = node_text("back", self.ports[1], back_runs)
        reach = ", ".join(f'"http://127.0.0.1:{port}"' for port in self.ports[1:])
        if back_ports > 1:
            back = back.replace(f'reach = "http://127.0.0.1:{self.ports[1]}"', f"reach = {{ {reach} }}")
        nodes = ", ".join(['gate = { listen = { "127.0.0.1:0" }, run = {} }',
                           node_text("front", self.ports[0], FRONT), back] + ([more] if more else []))
        self.gate = make_shop(sql="postgresql", port="local", nodes=nodes,
                              more=f" loops = 1, sql = {{ connections = 10 }}, {CLUSTER}", **options)
        self.gate.node = "gate"
        self.front = self.node("front")
        self.back = self.node("back")

    def node(self, name: str, data: str | None = None):
        one = self.gate.node_at(name)
        if data:
            one.data = one.folder / data
        self.gate.others.append(one)
        return one

    def start(self) -> "Cluster":
        self.gate.start()
        return self


@pytest.fixture
def make_cluster(make_shop):
    made = []

    def make(**options) -> Cluster:
        made.append(Cluster(make_shop, **options))
        return made[-1]

    yield make
    for one in made:
        one.gate.kill()


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    from support.shop import Shop
    one = Cluster(lambda **options: Shop(tmp_path_factory.mktemp("nodes"), **options).prepare())
    yield one.start()
    one.gate.kill()


def peer(shop, node: str) -> dict:
    return next(p for p in ask(shop, "status")["peers"] if p["node"] == node)


def problem(answer, status: int, code: str) -> None:
    assert answer.status == status and answer.json["code"] == code, (answer.status, answer.text)


# ---- Selling ----

def test_a_purchase_goes_through_the_gateway(cluster):
    guest = Guest(cluster.gate)
    assert guest.add(SKU).status == 200
    answer = guest.check_out()
    assert answer.status == 201 and answer.json["order"]["id"], answer.text
    page = Client(cluster.gate).get("/")
    assert page.status == 200 and "text/html" in page.headers["content-type"]


def test_nothing_of_a_plugin_runs_on_the_gateway(cluster):
    before = metric(cluster.gate, "sql_statements_total"), metric(cluster.back, "peer_served_total")
    assert Guest(cluster.gate).add(SKU).status == 200
    assert metric(cluster.gate, "sql_statements_total") == before[0] == 0
    assert metric(cluster.back, "peer_served_total") > before[1]
    plugins = {p["name"]: p["here"] for p in ask(cluster.gate, "status")["plugins"]}
    assert not any(plugins.values()) and set(plugins) >= {*FRONT, *BACK}


def test_one_trace_runs_through_all_nodes(cluster):
    trace = secrets.token_hex(16)
    Client(cluster.gate).get("/", traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    Client(cluster.gate).post("/api/v1/carts", {}, traceparent=f"00-{trace}-{secrets.token_hex(8)}-01")
    for node in (cluster.gate, cluster.front, cluster.back):
        node.wait_log(lambda line: line.get("trace_id") == trace or trace in json.dumps(line))


def test_a_login_and_its_end_are_seen_at_once_everywhere(cluster):
    client, email = Client(cluster.gate), new_email()
    user = {"email": email, "name": "Ada", "password": "correct horse battery"}
    assert client.post("/api/v1/users", user).status == 201
    made = client.post("/api/v1/sessions", {k: user[k] for k in ("email", "password")})
    assert made.status == 201, made.text
    bearer = {"authorization": f"Bearer {made.json['session']}"}
    other = Client(cluster.gate)
    assert other.get("/api/v1/users/me", **bearer).status == 200
    assert Client(cluster.gate).request("DELETE", "/api/v1/sessions/current", None, **bearer).status in (200, 204)
    assert other.get("/api/v1/users/me", **bearer).status == 401


def test_a_visitor_reaches_no_internal_route(cluster):
    for path in ("/internal/user/identify", "/internal/order/advance", "/internal/product/quote"):
        assert Client(cluster.gate).post(path, {}).status == 404
        assert Client(cluster.back).post(path, {}).status == 404


# ---- Signatures ----

def sign(body: bytes, to: str = "back", at: int | None = None, connection: str | None = None,
         number: int = 1, key: bytes = KEY) -> str:
    at = int(time.time() * 1000) if at is None else at
    text = f"v1 {at} {connection or secrets.token_hex(8)} {number} gate {to} "
    mac = hmac.new(key, (text + hashlib.sha256(body).hexdigest()).encode(), hashlib.sha256)
    return text + mac.hexdigest()


def knock_headers(node, body: bytes, signature: str | None):
    connection = http.client.HTTPConnection("127.0.0.1", node.port, timeout=20)
    connection.request("POST", PATH, body, {"x-stoa-call": signature} if signature else {})
    reply = connection.getresponse()
    got = reply.status, reply.read(), reply.headers
    connection.close()
    return got


def knock(node, body: bytes, signature: str | None) -> tuple[int, bytes]:
    return knock_headers(node, body, signature)[:2]


DROP = (6).to_bytes(4, "little") + (1).to_bytes(4, "little") + (3).to_bytes(4, "little") + b"tag"


def test_a_signed_call_is_taken_once(cluster):
    signature = sign(DROP)
    assert knock(cluster.back, DROP, signature)[0] == 200
    assert knock(cluster.back, DROP, signature)[0] == 401


@pytest.mark.parametrize("name, signature", [
    ("none", lambda: None),
    ("garbage", lambda: "v1 x"),
    ("another key", lambda: sign(DROP, key=b"b" * 32)),
    ("stale", lambda: sign(DROP, at=int(time.time() * 1000) - 31000)),
    ("from the future", lambda: sign(DROP, at=int(time.time() * 1000) + 45000)),  # one that comes late is less so
    ("for another node", lambda: sign(DROP, to="front")),
    ("another body", lambda: sign(DROP + b"x")),
])
def test_what_is_not_signed_is_refused_and_told_nothing(cluster, name, signature):
    status, body = knock(cluster.back, DROP, signature())
    said = json.loads(body)
    assert status == 401 and said["code"] == "AUTH" and "detail" not in said, name


def test_only_who_signed_gets_a_reply_without_what_is_for_browsers(cluster):
    for signature, status in ((sign(DROP), 200), (None, 401)):
        got, _, headers = knock_headers(cluster.back, DROP, signature)
        assert got == status
        assert ("content-security-policy" in headers) == (status == 401)
        assert ("x-stoa-reply" in headers) == (status == 200)


def test_an_earlier_number_of_a_connection_is_refused(cluster):
    connection = secrets.token_hex(8)
    assert knock(cluster.back, DROP, sign(DROP, connection=connection, number=5))[0] == 200
    assert knock(cluster.back, DROP, sign(DROP, connection=connection, number=4))[0] == 401
    assert knock(cluster.back, DROP, sign(DROP, connection=connection, number=6))[0] == 200


def test_signed_nonsense_is_refused_whole(cluster):
    for body in (b"", b"\0", DROP[:-1], os.urandom(200), (1).to_bytes(4, "little") + b"\xff" * 100):
        assert knock(cluster.back, body, sign(body))[0] == 400
    assert cluster.back.is_running()


class Way(http.server.BaseHTTPRequestHandler):
    """Who is between two nodes: gives a call its own reply, an earlier one, or a changed one."""
    protocol_version = "HTTP/1.1"
    target, mode, kept = 0, "honest", None

    def log_message(self, *_):
        pass

    def do_GET(self):
        self.do_POST()

    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        way = http.client.HTTPConnection("127.0.0.1", Way.target, timeout=10)
        way.request(self.command, self.path, body, dict(self.headers))
        reply = way.getresponse()
        told = (reply.status, [h for h in reply.getheaders() if h[0].lower() != "connection"], reply.read())
        way.close()
        if self.path == PATH and Way.mode == "again":
            told = Way.kept
        if self.path == PATH and Way.mode == "changed":
            told = (told[0], told[1], told[2].replace(b"EUR", b"USD"))
        if self.path == PATH and Way.mode == "honest" and b'"sku"' in told[2]:
            Way.kept = told
        self.send_response_only(told[0])
        for name, value in told[1]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(told[2])


def test_a_reply_is_taken_for_its_own_call_only(make_cluster):
    c = make_cluster()
    port = free_ports(1)[0]
    Way.target, Way.mode, Way.kept = c.ports[0], "honest", None
    edit(c.gate, f'reach = "http://127.0.0.1:{c.ports[0]}"', f'reach = "http://127.0.0.1:{port}"')
    way = http.server.ThreadingHTTPServer(("127.0.0.1", port), Way)
    threading.Thread(target=way.serve_forever, daemon=True).start()
    try:
        client = Client(c.start().gate)
        assert len(client.get("/api/v1/products?limit=2").json["items"]) == 2 and Way.kept
        for mode in ("again", "changed"):
            Way.mode = mode
            answer = client.get("/api/v1/products?limit=1")
            assert answer.status == 503, (mode, answer.text)
            c.gate.wait_log(lambda l: "not signed by a node of this cluster" in l.get("message", ""))
            Way.mode = "honest"
            assert client.get("/api/v1/products?limit=1").status == 200
    finally:
        way.shutdown()
        way.server_close()


def test_without_a_key_there_is_no_door(shop):
    if shop.node:
        pytest.skip("the shop of this run is several nodes")
    assert knock(shop, DROP, sign(DROP))[0] == 404


def test_several_nodes_without_a_key_are_refused_with_a_hint(make_shop):
    nodes = "a = { run = {} }, " + node_text("b", 9, FRONT + BACK)
    shop = make_shop(seed=False, sql="sqlite", port="local", nodes=nodes)
    done = shop.cli("check", check=False)
    assert done.returncode == 78 and "cluster" in done.stderr and "stoa.secret" in done.stderr


# ---- Trouble ----

def test_a_dead_node_is_a_typed_503_and_the_others_go_on(make_cluster):
    c = make_cluster().start()
    client = Client(c.gate)
    assert client.get("/api/v1/products").status == 200
    c.back.kill()
    for _ in range(8):
        answer = client.post("/api/v1/carts", {})
        problem(answer, 503, "PLUGIN")
        assert answer.headers["retry-after"]
        assert client.get("/api/v1/products").status == 200
    state = peer(c.gate, "back")
    assert state["breaker"] != "closed" and not state["ready"] and state["failures"] >= 5
    c.back.launch().await_open()
    wait_until(lambda: client.post("/api/v1/carts", {}).status == 201)
    assert peer(c.gate, "back")["breaker"] == "closed"


def test_events_wait_for_a_node_that_is_gone(make_cluster):
    port, = free_ports(1)
    c = make_cluster(more=node_text("post", port, ["notification"]),
                     back_runs=[name for name in BACK if name != "notification"])
    post = c.node("post")
    c.start()
    post.kill()
    email = new_email()
    guest = Guest(c.gate)
    assert guest.add(SKU).status == 200
    assert guest.check_out(email=email).status == 201
    tries = set()

    def is_put_off_again() -> bool:
        rows = run_sql(c.gate, "SELECT next_at, attempt, state, error FROM stoa_bus WHERE error <> ''")
        assert all(row[1:] == ("0", "ready", "PLUGIN") for row in rows), rows
        tries.update(row[0] for row in rows)
        return len(tries) > 5  # more often than one that fails is tried

    wait_until(is_put_off_again, lambda: str(tries))
    post.launch().await_open()
    assert len(wait_for_mail(post, email)) == 1


def test_a_hanging_node_holds_nobody_else_up(make_cluster):
    c = make_cluster(limits="node_in_flight = 4").start()
    client = Client(c.gate)
    assert client.get("/api/v1/products").status == 200
    worker = c.back.worker()
    os.kill(worker, signal.SIGSTOP)
    try:
        threads = [threading.Thread(target=lambda: Client(c.gate).post("/api/v1/carts", {}), daemon=True)
                   for _ in range(4)]
        for t in threads:
            t.start()
        wait_until(lambda: peer(c.gate, "back")["in_flight"] == 4)
        began = time.monotonic()
        problem(client.post("/api/v1/carts", {}), 503, "BUSY")
        for _ in range(20):
            assert client.get("/api/v1/products").status == 200
        assert time.monotonic() - began < 5
    finally:
        os.kill(worker, signal.SIGCONT)
    for t in threads:
        t.join(60)


def test_the_same_key_twice_is_one_order_also_across_a_restart_of_the_gateway(make_cluster):
    c = make_cluster().start()
    guest, key = Guest(c.gate), uuid.uuid4().hex
    assert guest.add(SKU).status == 200
    first = guest.check_out(key=key)
    assert first.status == 201
    again = guest.check_out(key=key)
    c.gate.process.kill()
    c.gate.wait()
    c.gate.launch().await_open()
    guest.client = Client(c.gate)
    third = guest.check_out(key=key)
    for answer in (again, third):
        assert answer.status == 201 and answer.json == first.json
        assert answer.headers["idempotency-replayed"] == "true"
    assert guest.check_out(key=key, email="eve@example.com").status == 422


def test_two_copies_of_a_node_share_the_work_and_one_may_go(make_cluster):
    c = make_cluster(back_ports=2)
    twin = c.node("back", "data-twin")
    for other in (c.front, c.back):
        other.launch()
    twin.launch("--listen", f"127.0.0.1:{c.ports[2]}")
    for other in (c.front, c.back, twin):
        other.await_open()
    c.gate.launch().await_open()
    client = Client(c.gate)
    for _ in range(20):
        assert client.post("/api/v1/carts", {}).status == 201
    assert all(metric(node, "peer_served_total") >= 5 for node in (c.back, twin))
    twin.stop()  # drains: nobody notices
    for _ in range(20):
        assert client.post("/api/v1/carts", {}).status == 201


def test_a_plugin_moves_to_another_node_while_the_shop_sells(make_cluster):
    port = free_ports(1)[0]
    c = make_cluster(more=node_text("spare", port, []))
    spare = c.node("spare")
    c.start()
    failures, orders, ended = [], [], threading.Event()

    def sell() -> None:
        while not ended.is_set():
            try:
                guest = Guest(c.gate)
                added = guest.add(SKU)
                answer = guest.check_out() if added.status == 200 else added
                (orders if answer.status == 201 else failures).append(answer.text)
            except (OSError, AssertionError) as error:
                failures.append(repr(error))

    sellers = [threading.Thread(target=sell, daemon=True) for _ in range(3)]
    for s in sellers:
        s.start()
    wait_until(lambda: len(orders) >= 3 or failures)
    edit(c.gate, node_text("spare", port, []), node_text("spare", port, ["order"]))
    for node in (spare, c.front, c.gate):
        apply(node)
    both = len(orders)
    wait_until(lambda: len(orders) >= both + 3 or failures)
    edit(c.gate, '"order", "payment"', '"payment"')
    for node in (spare, c.front, c.gate, c.back):
        apply(node)
    moved = len(orders)
    wait_until(lambda: len(orders) >= moved + 3 or failures)
    ended.set()
    for s in sellers:
        s.join(60)
    assert failures == [] and len(orders) >= 9
    assert metric(spare, "peer_served_total") > 0
    here = {p["name"]: p["here"] for p in ask(c.back, "status")["plugins"]}
    assert not here["order"] and here["payment"]
