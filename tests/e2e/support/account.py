"""A client that keeps account of every request: `account.py PORT PATH CONNECTIONS`. Each connection has
one request under way at a time, so that whoever kills a server can fail at most one on each. Until
standard input ends; then prints its account as JSON. SPDX-License-Identifier: Apache-2.0"""
import collections
import json
import pathlib
import select
import socket
import subprocess
import sys
import time

TIMEOUT_S = 20
IDLE_S = 1.0  # a worker that drains ends a connection on which nothing happened for so long


class Connection:
    def __init__(self, load: "Load"):
        self.load = load
        self.socket: socket.socket | None = None
        self.left = b""
        self.asked = self.idle = 0.0  # when it was last asked or opened; for how long nothing may have happened on it

    def open(self) -> bool:
        self.asked = time.monotonic()
        try:
            self.socket = socket.create_connection(("127.0.0.1", self.load.port), timeout=TIMEOUT_S)
        except ConnectionRefusedError:
            self.load.count["refused"] += 1
            return False
        self.load.count["connections"] += 1
        self.left = b""
        return True

    def close(self) -> None:
        if self.socket:
            self.socket.close()
        self.socket = None

    def ask(self) -> None:
        """Sends one request; on a new connection when there is none."""
        if not self.socket and not self.open():
            return
        before, self.asked = self.asked, time.monotonic()
        try:
            self.socket.sendall(self.load.request)
            self.idle = time.monotonic() - before
            self.load.count["asked"] += 1
        except OSError as error:
            self.idle = time.monotonic() - before
            self.fail("cut_asking", error)

    def fail(self, how: str, error) -> None:
        """Not if this process stood still between two requests, for so long that the connection seemed idle."""
        if self.idle > IDLE_S / 2:
            how = "ended_idle"
        self.load.count[how] += 1
        self.load.notes.append(f"{how}: {error!r}")
        self.close()

    def take_reply(self) -> None:
        if not self.socket:
            return
        began = time.monotonic()
        try:
            status, closes, body = self.read()
        except (OSError, ValueError) as error:
            self.fail("cut", error)
            return
        self.load.slowest = max(self.load.slowest, time.monotonic() - began)
        if status != 200 or body != self.load.expected:
            self.load.count["wrong"] += 1
            self.load.notes.append(f"wrong: {status} {body[:200]!r}")
        else:
            self.load.count["ok"] += 1
        if closes:
            self.close()

    def read(self) -> tuple[int, bool, bytes]:
        while b"\r\n\r\n" not in self.left:
            self.more()
        head, _, self.left = self.left.partition(b"\r\n\r\n")
        lines = head.decode().lower().split("\r\n")
        fields = dict(line.split(": ", 1) for line in lines[1:])
        length = int(fields["content-length"])
        while len(self.left) < length:
            self.more()
        body, self.left = self.left[:length], self.left[length:]
        return int(lines[0].split()[1]), fields.get("connection") == "close", body

    def more(self) -> None:
        part = self.socket.recv(65536)
        if not part:
            raise ValueError("the connection ended before the reply did")
        self.left += part
        self.idle = 0.0


class Load:
    def __init__(self, port: int, path: str, connections: int):
        self.port = port
        self.request = f"GET {path} HTTP/1.1\r\nHost: shop\r\n\r\n".encode()
        self.count: collections.Counter = collections.Counter()
        self.notes: list[str] = []
        self.expected: bytes | None = None
        self.slowest = 0.0
        self.connections = [Connection(self) for _ in range(connections)]

    def learn(self) -> None:
        one = Connection(self)
        one.open()
        one.socket.sendall(self.request)
        status, _, self.expected = one.read()
        assert status == 200, status
        one.close()

    def run(self) -> dict:
        self.learn()
        began, turn = time.monotonic(), 0
        print("ready", flush=True)
        while not select.select([sys.stdin], [], [], 0)[0]:
            turn += 1
            for n, connection in enumerate(self.connections):
                if n % 4 == 3:
                    connection.close()  # a new one for each request
                connection.ask()
            for connection in self.connections:
                connection.take_reply()
        seconds = time.monotonic() - began
        return {**self.count, "seconds": round(seconds, 2), "slowest_ms": round(self.slowest * 1000),
                "per_second": round(self.count["ok"] / seconds), "notes": self.notes[:5]}


class StrictLoad:
    """with StrictLoad(shop, path, connections) as load: …; then load.account."""

    def __init__(self, shop, path: str = "/swap/greeting", connections: int = 16):
        self.arguments = [sys.executable, str(pathlib.Path(__file__)), str(shop.port), path,
                          str(connections)]
        self.account: dict = {}

    def __enter__(self) -> "StrictLoad":
        self.process = subprocess.Popen(self.arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True)
        assert self.process.stdout.readline() == "ready\n"
        return self

    def __exit__(self, *_: object) -> None:
        text, _ = self.process.communicate("\n", timeout=60)
        self.account = collections.Counter()
        self.account.update({k: v for k, v in json.loads(text).items()})


if __name__ == "__main__":
    print(json.dumps(Load(int(sys.argv[1]), sys.argv[2], int(sys.argv[3])).run()))
