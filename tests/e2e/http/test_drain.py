"""R18: the end of the process cuts nobody off. SPDX-License-Identifier: Apache-2.0"""
import select
import threading
import time

import pytest
import wire
from support.account import IDLE_S

GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


def wait_for_exit(server, most):
    start = time.monotonic()
    assert server.process.wait(60) == 0
    took = time.monotonic() - start
    assert took <= most
    return took


class Shopper(threading.Thread):
    """Asks again and again, over one connection or a new one each time, until it is sent away."""

    def __init__(self, server, path, pipeline=1, keep=True):
        super().__init__()
        self.server, self.path, self.pipeline, self.keep = server, path, pipeline, keep
        self.done, self.cut = 0, []

    def run(self):
        try:
            while self.session():
                pass
        except ConnectionRefusedError:
            pass
        except Exception as error:  # a thread's failure must reach the test
            self.cut.append(repr(error))

    def session(self):
        """False: the server is gone."""
        since = time.monotonic()
        try:
            c = self.server.connect()
        except ConnectionRefusedError:
            raise
        except OSError as error:
            self.note_end(since, f"ended while it connected: {error!r}")
            return False
        with c:
            while True:
                before, since = since, time.monotonic()
                try:
                    c.send(GET % self.path * self.pipeline)
                except OSError:
                    self.note_end(before, "sent into a closed connection")
                    return False
                sent = time.monotonic()
                for n in range(self.pipeline):
                    try:
                        reply = c.reply()
                    except wire.Closed as error:
                        if n == 0 and not error.got:
                            self.note_end(before, "no reply", sent)
                        elif error.got:
                            self.cut.append(f"reply {n} was cut off: {error.got[:60]!r}")
                        return not self.server.is_ending
                    self.done += 1
                    if reply.status != 200:
                        self.cut.append(f"status {reply.status}")
                    if reply.header("connection") == "close":
                        return True
                if not self.keep:
                    return True

    def note_end(self, since, what, until=None):
        """Between requests. Not too soon if this thread stood still for so long that it seemed idle."""
        if not self.server.is_ending or (until or time.monotonic()) - since < IDLE_S / 2:
            self.cut.append(what)


@pytest.mark.parametrize("loops", [1, 2])
def test_under_load_no_reply_is_cut(serve, loops):
    server = serve(loops=loops, drain_ms=50000)
    server.is_ending = False
    crowd = [Shopper(server, path, pipeline, keep) for _ in range(3)
             for path, pipeline, keep in [(b"/hello", 1, True), (b"/hello", 1, False),
                                          (b"/wait?ms=20", 1, True), (b"/big?bytes=300000", 1, True),
                                          (b"/hello", 8, True)]]
    for shopper in crowd:
        shopper.start()
    wire.eventually(lambda: all(s.done > 5 or s.cut for s in crowd))
    server.is_ending = True
    server.term()
    wait_for_exit(server, 25)  # nobody is idle for long
    for shopper in crowd:
        shopper.join()
    assert not [cut for shopper in crowd for cut in shopper.cut]


def test_what_is_being_worked_on_is_finished(serve):
    server = serve(drain_ms=60000)  # a window that was small at first makes its reader slow
    with server.connect() as busy, server.connect(receive=4096) as reading:
        busy.send(GET % b"/wait?ms=6000")
        wire.eventually(lambda: server.metric("requests_in_flight") == 2)
        reading.send(GET % b"/big?bytes=6000000")
        assert not reading.is_silent(60), "its answer has begun"
        server.term()
        reading.hurry()
        assert len(reading.reply().body) == 6000000
        reply = busy.reply()
        assert reply.status == 200 and reply.header("connection") == "close"
    wait_for_exit(server, 10)


def test_new_connections_are_refused_and_idle_ones_ended_soon(serve):
    server = serve()
    idle, fresh = server.connect(), server.connect()
    assert idle.get("/hello").status == 200
    assert idle.is_silent(1.1)  # so long that the server thinks of them as idle
    server.term()
    assert idle.at_end() and fresh.at_end()
    with pytest.raises(ConnectionRefusedError):
        server.connect()
    assert wait_for_exit(server, 10) < 8, "the deadline of a drain is many times that"


def get_at_once(connection, path, since):
    """since: when the connection was surely not idle yet."""
    with wire.not_idle(IDLE_S / 2, since):
        return connection.get(path)


def first_refusal(ready):
    while True:
        looked = time.monotonic()
        ready.is_silent(0.02)  # if it has ended meanwhile, the next line says so
        reply = get_at_once(ready, "/readyz", looked)
        if reply.status == 503:
            return reply, looked


def test_readiness_fails_first_and_the_rest_still_works(serve):
    wire.until_it_moves(lambda: readiness_fails_first(serve()))


def readiness_fails_first(server):
    with server.connect() as ready, server.connect() as hello:
        assert ready.get("/readyz").status == 200
        assert hello.get("/hello").status == 200
        server.term()
        reply, looked = first_refusal(ready)
        assert reply.header("retry-after") == "1"
        reply = get_at_once(hello, "/hello", looked)
        assert reply.status == 200 and reply.header("connection") == "close"
        assert ready.at_end() and hello.at_end()
    wait_for_exit(server, 10)


def test_a_half_sent_request_may_be_finished(serve):
    server = serve()
    with server.connect() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\n\r\nabc")
        assert c.is_silent(0.1)
        server.term()
        assert c.is_silent(1.5)
        c.send(b"def")
        assert c.reply().body.endswith(b"body=abcdef\n")
    wait_for_exit(server, 10)


def test_a_large_last_reply_survives_what_the_client_sent_behind_its_request(serve):
    """Closing with unread bytes would reset the connection and throw away what is not sent yet."""
    wire.until_it_moves(lambda: a_large_last_reply_survives(serve(drain_ms=60000)))


def a_large_last_reply_survives(server):
    with server.connect(receive=4096) as c, server.connect() as ready, wire.not_idle(IDLE_S / 2):
        assert c.get("/hello").status == 200
        server.term()
        wire.eventually(lambda: ready.get("/readyz").status == 503)
        c.send(GET % b"/big?bytes=6000000")
        assert not c.is_silent(60), "the answer has begun"
        c.send(GET % b"/hello")
        wire.eventually(c.is_confirmed)  # it lies there; nothing shows that the server has, or has not, looked
        c.hurry()
        reply = c.reply()
        assert len(reply.body) == 6000000 and reply.header("connection") == "close"
        if not c.ends_cleanly():
            raise wire.Closed
    wait_for_exit(server, 10)


def knock(server, resets):
    """Connects as fast as it can until the port is closed."""
    since = time.monotonic()
    try:
        while True:
            since = time.monotonic()
            server.connect().close()
    except ConnectionRefusedError:
        pass
    except OSError as error:
        if time.monotonic() - since < IDLE_S / 2:  # over TLS, who says nothing for so long may be sent away
            resets.append(repr(error))


def test_nobody_is_reset_at_the_door(serve):
    """The kernel completes connections until the listener closes; those would be reset."""
    for _ in range(5):
        server, resets = serve(), []
        crowd = [threading.Thread(target=knock, args=(server, resets)) for _ in range(8)]
        for client in crowd:
            client.start()
        wire.eventually(lambda: server.metric("connections_accepted_total") > 200)
        server.term()
        wait_for_exit(server, 10)
        for client in crowd:
            client.join()
        assert not resets


def test_the_deadline_holds(serve):
    server = serve(drain_ms=700)
    with server.connect() as c:
        c.send(GET % b"/wait?ms=30000")
        wire.eventually(lambda: server.metric("requests_in_flight") == 2)
        start = time.monotonic()
        server.term()
        wait_for_exit(server, 10)
        assert time.monotonic() - start > 0.4


def test_a_server_that_nobody_uses_ends_at_once(serve):
    server = serve(loops=3)
    server.term()
    assert wait_for_exit(server, 10) < 8, "the deadline of a drain is many times that"


def answered(connections, seconds):
    readable, _, _ = select.select([c.sock for c in connections], [], [], seconds)
    return [c for c in connections if c.sock in readable]


def test_a_loop_that_comes_when_the_end_has_begun_drains_as_well(serve):
    """A worker that is told to end while it starts: half of who knocks has been given to that loop."""
    server = serve(loops=2, late=1)
    waiting = [server.connect() for _ in range(32)]
    for c in waiting:
        c.send(GET % b"/wait?ms=700")
    first, *_ = answered(waiting, 60)
    assert first.reply().body == b"woke\n"
    wire.eventually(lambda: server.metric("requests_in_flight", first) == 1)  # that loop has answered all of its own
    for c in {first, *answered(waiting, 0)}:
        waiting.remove(c)
        c.close()
    assert 0 < len(waiting) < 32
    server.process.terminate()
    for c in waiting:
        assert c.reply().status == 200
        c.close()
    wait_for_exit(server, 10)
