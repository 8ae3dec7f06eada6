"""R20: clients that are slow on purpose, scaled down. SPDX-License-Identifier: Apache-2.0"""
import json
import select
import signal
import socket
import threading
import time

import wire
from support.swaps import unmaps

HOST = b"Host: a\r\n"


def send_quietly(c, data):
    try:
        c.send(data)
    except OSError:
        pass


def timed_gets(server, seconds, path="/hello"):
    times, end = [], time.monotonic() + seconds
    with server.connect() as c:
        while time.monotonic() < end:
            start = time.monotonic()
            assert c.get(path).status == 200
            times.append(time.monotonic() - start)
            assert c.is_silent(0.002)
    return times


def test_slow_heads_and_bodies_are_ended_and_nobody_else_waits(serve):
    server = serve(request_ms=8000, connections=4000, connections_per_address=4000)
    rss = server.rss()
    slow = []
    for i in range(1200):
        slow.append(server.connect())
        slow[i].send(b"GET /hello HTTP/1.1\r\nHost: a\r\nX: " if i < 1000 else
                     b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 1000\r\n\r\nx")

    ended = threading.Event()

    def drip():
        while not ended.wait(0.5):
            for c in slow:
                send_quietly(c, b"y")

    dripping = threading.Thread(target=drip)
    dripping.start()
    try:
        times = timed_gets(server, 1.5)
        wire.eventually(lambda: server.metric("connections_open") == 1)
    finally:
        ended.set()
        dripping.join()
    assert wire.percentile(times, 0.99) < 5, "those who wait for a slow sender wait eight seconds"
    if unmaps():  # a host with sanitizers gives no memory back
        assert server.rss() - rss < 30 << 20
    for c in slow:
        c.close()


def test_idle_connections_are_ended(serve):
    server = serve(request_ms=4000)
    with server.connect() as silent, server.connect() as kept:
        assert kept.get("/hello").status == 200
        assert kept.at_end() and silent.at_end()


def test_readers_that_drip_are_cut_and_slow_ones_are_not(serve):
    server = serve(stall_ms=5000, stall_bytes=4096)
    rss = server.rss()
    drips = [server.connect(receive=4096) for _ in range(100)]
    gone = select.poll()
    for c in drips:
        gone.register(c.sock, 0)  # being cut off is told without asking
        c.send(b"GET /big?bytes=4000000 HTTP/1.1\r\n" + HOST + b"\r\n")
    with server.connect(receive=65536) as slow:
        slow.send(b"GET /big?bytes=8000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        head = slow.head()
        assert head[0] == 200
        got, begin = len(slow.rest), time.monotonic()
        while time.monotonic() < begin + 11 or server.metric("connections_stalled_total") < 100:
            assert time.monotonic() < begin + 60, "they are not cut"
            for c in drips:
                try:
                    c.sock.recv(16, socket.MSG_DONTWAIT)
                except (BlockingIOError, ConnectionResetError):
                    pass
            got += len(slow.sock.recv(16384))
            for fd, _ in gone.poll(100):
                gone.unregister(fd)
        assert server.metric("connections_stalled_total") == 100
        wire.eventually(lambda: server.metric("connections_open") == 2)
        while got < 8000000:
            data = slow.sock.recv(1 << 20)
            assert data, f"cut off after {got}"
            got += len(data)
    for c in drips:
        c.close()
    assert server.rss() - rss < 450 << 20
    wire.eventually(lambda: server.metric("requests_in_flight") == 1)
    assert server.metric("test_pins") == 1


def test_a_reader_that_sleeps_for_a_moment_gets_everything(serve):
    server = serve(stall_ms=8000)
    with server.connect(receive=8192) as c:
        c.send(b"GET /big?bytes=4000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        timed_gets(server, 2.5)
        c.hurry()
        assert len(c.reply().body) == 4000000


def test_a_handler_that_ignores_its_deadline_is_answered_for(serve):
    server = serve()
    with server.connect() as c:
        start = time.monotonic()
        reply = c.get("/overdue?ms=8000")
        assert time.monotonic() - start > 2
        assert reply.status == 503 and b'"code":"TIMEOUT"' in reply.body
        assert c.get("/hello").status == 200, "the connection goes on"
        assert server.metric("requests_in_flight") == 2, "the handler does, too: it was not done"
        wire.eventually(lambda: server.metric("requests_in_flight") == 1)
        assert c.get("/hello").status == 200
    assert server.metric("test_pins") == 1 and server.metric("test_fibers") == 1


def test_slow_readers_take_nobodys_place(serve):
    server = serve(in_flight=5)
    readers = [server.connect(receive=4096) for _ in range(10)]
    for c in readers:
        c.send(b"GET /big?bytes=6000000 HTTP/1.1\r\n" + HOST + b"\r\n")
        assert c.head()[0] == 200
    assert server.get("/hello").status == 200
    for c in readers:
        c.close()


def longest_run(values):
    longest = run = 0
    before = None
    for value in values:
        run = run + 1 if value == before else 1
        before, longest = value, max(longest, run)
    return longest


def test_clients_that_pipeline_take_turns(serve):
    """Both have everything sent before the server looks."""
    server = serve()
    with server.connect() as a, server.connect() as b:
        assert a.get("/hello").status == b.get("/hello").status == 200
        server.halt()
        a.send(b"GET /echo?a HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        b.send(b"GET /redirect HTTP/1.1\r\nHost: a\r\n\r\n" * 1000)
        server.process.send_signal(signal.SIGCONT)
        for _ in range(1000):
            assert a.reply().status == 200
            assert b.reply().status == 303
    server.term()
    server.process.wait(60)
    with open(server.log) as log:
        paths = [json.loads(line)["path"] for line in log]
    assert len(paths) == 2002
    assert longest_run(paths) < 100


def test_a_body_that_never_comes_ends_the_connection(serve):
    server = serve(request_ms=3000)
    start = time.monotonic()
    with server.connect() as c:
        c.send(b"POST /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 5\r\n\r\nabc")
        assert c.at_end()
        assert 2 < time.monotonic() - start
