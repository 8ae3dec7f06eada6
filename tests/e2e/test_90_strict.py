"""The strict client notices each sin of a server, and none where there is none.
SPDX-License-Identifier: Apache-2.0"""
import os
import re
import socket
import threading

import pytest
from support.shop import database_kind, free_ports
from support.strict import Strict, complaints

pytestmark = pytest.mark.skipif(
    database_kind() != "sqlite" or os.environ.get("STOA_TEST_PORT", "local") != "local",
    reason="no shop is in it: once is enough")
LINE = "0123456789abcdefghijklmnopqrstuvwxyz{v}ABCDEFGHIJKLMNOPQRSTUVWXYZ\n"
SINS = {"none": None, "cuts": "cut", "says nothing": "unanswered", "fails": "wrong_status",
        "is short": "wrong_length", "has no length": "wrong_length", "flips a bit": "bad_hash",
        "mixes ends": "mixed", "mixes the middle": "mixed", "answers twice": "duplicated",
        "answers another": "duplicated", "sleeps": "late"}


def body_of(path: str, sin: str) -> bytes:
    """What the swap plugin answers, with a sin of the body."""
    if path == "/swap/large":
        return ("1\n" + LINE.format(v=1) * 32768 + "\n1").encode()
    number = path.rsplit("/", 1)[1]
    lines = LINE.format(v=1) * 512
    if sin == "mixes the middle":
        lines = LINE.format(v=1) * 256 + LINE.format(v=2) * 256
    if sin == "flips a bit":
        lines = lines[:9000] + "~" + lines[9001:]
    if sin == "answers another":
        number = "9" * len(number)
    return f"1 {number}\n{lines}{number} {2 if sin == 'mixes ends' else 1}".encode()


def reply_of(path: str, sin: str) -> bytes:
    body = b"same" if path == "/same" else body_of(path, sin)
    if sin == "is short":
        body = body[:-64]
    length = b"" if sin == "has no length" else f"Content-Length: {len(body)}\r\n".encode()
    status = b"500 Oops" if sin == "fails" else b"200 OK"
    reply = b"HTTP/1.1 " + status + b"\r\n" + length + b"\r\n" + body
    if sin == "answers twice":
        return reply + reply
    return reply[:len(reply) // 2] if sin == "cuts" else reply


class Server:
    """Serves rightly but for every fifth request of a connection."""

    def __init__(self, sin: str):
        self.sin = sin
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self.listener.getsockname()[1]
        self.ended = threading.Event()
        self.accepting = threading.Thread(target=self._accept, daemon=True)
        self.accepting.start()

    def _accept(self) -> None:
        while True:
            try:
                peer, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer: socket.socket) -> None:
        left, count = b"", 0
        try:
            while part := peer.recv(65536):
                left += part
                *heads, left = left.split(b"\r\n\r\n")
                for head in heads:
                    count += 1
                    self._answer(peer, head, self.sin if count % 5 == 0 else "none")
        except OSError:
            pass
        peer.close()

    def _answer(self, peer: socket.socket, head: bytes, sin: str) -> None:
        if sin == "sleeps":
            self.ended.wait(5)
        if sin != "says nothing":
            peer.sendall(reply_of(re.match(rb"GET (\S+)", head).group(1).decode(), sin))
        if sin in ("cuts", "says nothing") or b"Connection: close" in head:
            raise OSError

    def close(self) -> None:
        """Nobody accepts any more: its descriptor is the next one's listener."""
        self.ended.set()
        self.listener.shutdown(socket.SHUT_RDWR)
        self.accepting.join()
        self.listener.close()


@pytest.mark.parametrize("sin", SINS)
def test_the_client_notices(sin):
    server = Server(sin)
    # Two connections: keep-alive, and pipelining.
    client = Strict(server.port, "--connections", 2, "--requests", 60, "--rate", 0, "--seconds", 120,
                    "--untouched", "/same", "--deadline", 500 if sin == "sleeps" else 15000)
    figures = client.wait()
    server.close()
    assert figures["requests"] >= 20, figures
    if SINS[sin]:
        assert figures[SINS[sin]] > 0, (figures, client.told)
    noticed = set(complaints(figures))
    if sin == "answers twice":  # the second one may come where /same is awaited, which is shorter
        noticed.discard("wrong_length")
    assert noticed == ({SINS[sin]} if SINS[sin] else set()), (figures, client.told)
    assert client.process.returncode == (1 if SINS[sin] else 0)


def test_every_kind_of_connection_is_content_with_a_good_server():
    server = Server("none")
    figures = Strict(server.port, "--connections", 16, "--seconds", 5, "--rate", 200,
                     "--untouched", "/same").wait()
    server.close()
    assert complaints(figures) == {} and figures["untouched"] > 0 and figures["left"] > 0, str(figures)


def test_a_closed_port_is_refused():
    figures = Strict(free_ports(1)[0], "--connections", 1, "--seconds", 1).wait()
    assert figures["refused"] > 0
