"""R21, R22: more clients than fit, and clients that leave. SPDX-License-Identifier: Apache-2.0"""
import collections
import json
import socket
import threading

import wire

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def open_many(address, count):
    """Connects without waiting for anybody to accept."""
    made = []
    for _ in range(count):
        s = socket.socket()
        s.setblocking(False)
        s.connect_ex(address)
        made.append(s)
    return made


def is_reset(s):
    try:
        return s.recv(1) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True


def is_served(server):
    try:
        return server.get("/hello").status == 200
    except (wire.Closed, OSError):
        return False


def wait_open(server, probe, count):
    wire.eventually(lambda: server.metric("connections_open", probe) >= count)


def test_at_the_cap_the_rest_waits_and_nothing_spins(serve):
    server = serve(connections=200, connections_per_address=10000, request_ms=60000)
    probe = server.connect()
    assert probe.get("/hello").status == 200
    crowd = open_many(server.address, 1000)
    wait_open(server, probe, 200)
    assert server.cpu_share(1) < 0.05
    assert server.metric("connections_open", probe) == 200
    assert not any(is_reset(s) for s in crowd[:100]), "those inside stay"
    for s in crowd:
        s.close()
    with server.connect() as c:
        assert c.get("/hello").status == 200
    assert server.metric("connections_open", probe) <= 200
    probe.close()


def test_one_that_leaves_lets_one_in(serve):
    server = serve(connections=2, loops=1)
    with server.connect() as a, server.connect() as b:
        assert a.get("/hello").status == b.get("/hello").status == 200
        with server.connect() as c:
            c.send(GET % b"/hello")
            assert c.is_silent()
            a.close()
            assert c.reply().status == 200


def test_too_few_descriptors_lower_the_cap_and_nothing_spins(serve):
    server = serve(files_max=512, connections=5000, connections_per_address=5000, request_ms=60000)
    with open(server.log) as log:
        possible = next(line["possible"] for line in map(json.loads, log) if "possible" in line)
    assert possible < 512
    probe = server.connect()
    assert probe.get("/hello").status == 200
    crowd = open_many(server.address, 2000)
    wait_open(server, probe, possible)
    assert server.cpu_share(1) < 0.05
    assert server.metric("connections_open", probe) == possible
    for s in crowd:
        s.close()
    with server.connect() as c:
        assert c.get("/hello").status == 200
    probe.close()


def test_one_address_cannot_take_all_connections(serve):
    server = serve(connections_per_address=20, request_ms=60000)
    crowd = open_many(server.address, 100)
    wire.eventually(lambda: sum(is_reset(s) for s in crowd) == 80)
    other = socket.create_connection(server.address, source_address=("127.0.0.9", 0))
    other.sendall(GET % b"/hello")
    assert other.recv(100).startswith(b"HTTP/1.1 200")
    for s in crowd:
        s.close()
    wire.eventually(lambda: is_served(server))
    assert server.metric("connections_refused_total") >= 80


def test_trusted_proxies_have_no_cap_of_their_own(serve):
    server = serve(connections_per_address=5, proxy="127.0.0.0/8")
    many = [server.connect() for _ in range(30)]
    assert all(c.get("/hello").status == 200 for c in many)


def test_the_visitors_behind_a_proxy_are_told_apart(serve):
    server = serve(in_flight_per_address=2, proxy="127.0.0.0/8")
    busy = [server.connect() for _ in range(3)]
    for c in busy:
        c.send(b"GET /wait?ms=5000 HTTP/1.1\r\nHost: a\r\nX-Forwarded-For: 203.0.113.5\r\n\r\n")
    assert server.get("/hello", headers="X-Forwarded-For: 203.0.113.6\r\n").status == 200
    assert sorted(c.reply().status for c in busy) == [200, 200, 429]
    assert server.get("/hello", headers="X-Forwarded-For: 203.0.113.5\r\n").status == 200


def test_past_the_requests_at_once_there_is_a_quick_503(serve):
    server = serve(in_flight=10, in_flight_per_address=1000, loops=1)  # it takes them in their order
    busy = [server.connect() for _ in range(10)]
    for c in busy:
        c.send(GET % b"/wait?ms=6000")
    with server.connect() as c:
        wire.eventually(lambda: c.get("/hello").status == 503)
        reply = c.get("/hello")
        assert all(b.is_silent(0.001) for b in busy), "it did not wait for one of those"
        assert reply.status == 503 and reply.header("retry-after") == "1"
        assert reply.header("content-type") == "application/problem+json"
        assert [c.reply().status for c in busy] == [200] * 10
        assert c.get("/hello").status == 200, "the connection was kept"
    assert server.metric("requests_shed_total") == 2


def test_clients_that_ask_and_leave_hold_nothing(serve):
    """4,000, about 2,000 a second, on a handler of 300 ms."""
    server = serve(in_flight=300, in_flight_per_address=1000, connections_per_address=5000)
    over, worst, answers = threading.Event(), [0], []

    def leave():
        for _ in range(1000):
            s = socket.create_connection(server.address)
            s.sendall(GET % b"/wait?ms=300")
            s.close()

    def watch():
        with server.connect() as c:
            while not over.wait(0.01):
                reply = c.get("/metrics")
                answers.append(reply.status)
                if reply.status == 200:
                    at = reply.body.index(b"\nstoa_requests_in_flight ") + 25
                    worst[0] = max(worst[0], int(reply.body[at:at + 8].split()[0]))

    leavers, watcher = [threading.Thread(target=leave) for _ in range(4)], threading.Thread(target=watch)
    for t in [watcher, *leavers]:
        t.start()
    wire.eventually(lambda: len(answers) > 10)
    for t in leavers:
        t.join()
    over.set()
    watcher.join()
    assert worst[0] <= 300
    wire.eventually(lambda: server.metric("requests_in_flight") == 1)
    wire.eventually(lambda: server.metric("connections_open") == 1)
    assert server.metric("requests_abandoned_total") > 0
    assert server.metric("test_fibers") == 1 and server.metric("test_pins") == 1


def test_what_was_left_alone_is_cancelled_at_once_but_only_if_it_can_be_asked_again(serve):
    server = serve()
    get, post = server.connect(), server.connect()
    get.send(GET % b"/wait?ms=60000")
    post.send(b"POST /wait?ms=8000 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
    wire.eventually(lambda: server.metric("requests_in_flight") == 3)
    get.close()
    post.close()
    wire.eventually(lambda: server.metric("requests_in_flight") <= 2, seconds=20)
    assert server.metric("requests_in_flight") == 2, "the POST goes on"
    wire.eventually(lambda: server.metric("requests_in_flight") == 1, seconds=30)  # the GET was to take 60
    assert server.metric("requests_abandoned_total") == 2


def test_a_client_that_pipelines_behind_a_slow_request_is_no_leaver(serve):
    server = serve()
    with server.connect() as c:
        c.send(GET % b"/wait?ms=5000")
        wire.eventually(lambda: server.metric("requests_in_flight") == 2)
        c.send(GET % b"/hello")
        assert c.reply().body == b"woke\n"
        assert c.reply().body == b"Hello, world"


def test_limits_that_change_are_never_mixed(serve):
    """Either long heads may come, or long targets: this has both, and none of the two lets it pass."""
    server = serve(loops=2, flip_us=20)
    request = b"GET /hello?%s HTTP/1.1\r\nHost: a\r\nX-Long: %s\r\n\r\n" % (b"t" * 500, b"h" * 2000)
    seen = collections.Counter()
    for _ in range(3000):
        with socket.create_connection(server.address) as s:
            s.sendall(request)
            seen[s.recv(4096).split(b" ", 2)[1]] += 1
    assert set(seen) == {b"414", b"431"}, seen
