"""Replacing the world of a running shop, and clients that notice whatever goes wrong with a reply.
SPDX-License-Identifier: Apache-2.0"""
import functools
import hashlib
import os
import pathlib
import select
import shutil
import socket
import threading
import time

from support.control import PATIENCE_S, ask, wait_until
from support.shop import binary, build_folder, collect_plugins

KERNEL = 4  # so many large replies are more than the kernel buffers of a connection
LINE = "0123456789abcdefghijklmnopqrstuvwxyz{v}ABCDEFGHIJKLMNOPQRSTUVWXYZ\n"


class Plugins:
    """The folder that the shop loads from; put() is how an operator installs: mv over the old."""

    def __init__(self, folder: pathlib.Path):
        self.folder = collect_plugins(folder)
        self.put("swap", build_folder() / "tests/data/swap/swap1.so")

    def put(self, name: str, source: pathlib.Path | bytes) -> None:
        part = self.folder / ".part"
        if isinstance(source, bytes):
            part.write_bytes(source)
        else:
            shutil.copy(source, part)
        os.replace(part, self.folder / f"{name}.so")

    def version(self, number: int) -> pathlib.Path:
        return build_folder() / f"tests/data/swap/swap{number}.so"

    def touch_all(self, number: int) -> None:
        """Other bits for every plugin, and the same code: what follows an ELF file is nobody's."""
        for so in sorted(self.folder.glob("*.so")):
            self.put(so.stem, touched(so, number))

    def swap(self, number: int) -> None:
        self._install("swap", number, lambda: self.version(number).read_bytes())

    def touch(self, name: str, number: int) -> None:
        """As touch_all(), of one."""
        self._install(name, number, lambda: touched(self.folder / f"{name}.so", number))

    def _install(self, name: str, number: int, bits) -> None:
        """By a link: copying takes longer than some swaps."""
        kept, part = self.folder.with_name(f"{name}-{number}.so"), self.folder / ".part"
        if not kept.exists():
            kept.write_bytes(bits())
        part.unlink(missing_ok=True)
        os.link(kept, part)
        os.replace(part, self.folder / f"{name}.so")  # does nothing when it is there already


def touched(so: pathlib.Path, number: int) -> bytes:
    return so.read_bytes().split(b"\ntouched ")[0] + f"\ntouched {number}".encode()


@functools.cache
def unmaps() -> bool:
    """A host with sanitizers keeps every generation mapped, for its reports."""
    return b"__asan_init" not in pathlib.Path(binary()).read_bytes()


def link(path: pathlib.Path) -> str:
    try:
        return os.readlink(path)
    except FileNotFoundError:  # closed since it was listed
        return ""


def process_state(shop) -> dict:
    """What must be back when all is quiet: mapped plugins, descriptors, threads."""
    proc = pathlib.Path(f"/proc/{shop.worker()}")
    maps = proc.joinpath("maps").read_text().splitlines()
    open_files = [name for name in map(link, proc.joinpath("fd").iterdir()) if name]
    # Connections to the database are opened when they are first needed.
    open_files = [name for name in open_files if not name.startswith(str(shop.data))]
    if shop.database:
        open_files = [name for name in open_files if not name.startswith("socket:")]
    return {"plugins": sum("memfd:" in line for line in maps), "fds": len(open_files),
            "threads": len(list(proc.joinpath("task").iterdir()))}


def wait_back(shop, before: dict) -> None:
    """Until there is no more of anything than before. A sandbox that was ending then may have held a
    descriptor, so less is fine: a leak is one for each of many swaps."""
    now: dict = {}

    def is_back() -> bool:
        now.update(process_state(shop))
        return all(now[name] <= before[name] for name in before)

    wait_until(is_back, lambda: f"{before} before, {now} now")


def wait_quiet(shop) -> dict:
    """Status once one world is left."""
    status: dict = {}

    def is_quiet() -> bool:
        status.update(ask(shop, "status"))
        return len(status["worlds"]) == 1 and status["connections"] == 0 and \
            status["generations"]["alive"] == len(status["plugins"]) and \
            status["generations"]["sandboxes"] == sum("sandbox" in p for p in status["plugins"])

    wait_until(is_quiet, lambda: f"{status['connections']} connections, {status['worlds']}, {status['generations']}")
    return status


def wait_in_flight(shop, count: int) -> None:
    wait_until(lambda: ask(shop, "status")["in_flight"] >= count, f"{count} requests are not in flight")


def wait_pins(shop, count: int) -> None:
    """So many replies of the world in force are being made or sent."""
    wait_until(lambda: ask(shop, "status")["worlds"][0]["pins"] >= count, f"{count} replies are not being made")


# ---- Clients ----

class Reader:
    """One connection; reads replies by their Content-Length and nothing else."""

    def __init__(self, port: int, small_window: bool = False):
        self.socket = socket.socket()
        if small_window:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        self.socket.settimeout(PATIENCE_S)
        self.socket.connect(("127.0.0.1", port))
        self.left = b""

    def send(self, *paths: str) -> None:
        self.socket.sendall(b"".join(f"GET {p} HTTP/1.1\r\nHost: shop\r\n\r\n".encode() for p in paths))

    def hurry(self) -> None:
        """Takes all that comes from now on. A small window is a turn of both processes for every few KB:
        on a busy machine a world would be cut off for it."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def wait_reply(self) -> None:
        """Until it has begun to come; reads nothing."""
        assert select.select([self.socket], [], [], PATIENCE_S)[0], "no reply"

    def take(self) -> bytes:
        part = self.socket.recv(65536)
        if not part:
            raise AssertionError("the connection was cut")
        return part

    def reply(self, pause: float = 0) -> tuple[int, bytes]:
        while b"\r\n\r\n" not in self.left:
            self.left += self.take()
        head, _, rest = self.left.partition(b"\r\n\r\n")
        lines = head.decode().split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        length, parts, got = int(fields["content-length"]), [rest], len(rest)
        while got < length:
            if pause:
                time.sleep(pause)
            parts.append(self.take())
            got += len(parts[-1])
        body = b"".join(parts)
        self.left = body[length:]
        return int(lines[0].split()[1]), body[:length]

    def close(self) -> None:
        self.socket.close()


def hashes(version: str) -> tuple[str, str]:
    line = LINE.format(v=version)
    large = f"{version}\n{line * 64 * 512}\n{version}".encode()
    return hashlib.sha256((line * 512).encode()).hexdigest(), hashlib.sha256(large).hexdigest()


HASHES = {v: hashes(v) for v in "123"}


def check_numbered(status: int, body: bytes, number: str) -> str:
    """The version that made the reply; it names itself and the request at both ends."""
    assert status == 200, (status, body[:200])
    head, _, rest = body.partition(b"\n")
    version, asked = head.decode().split(" ")
    tail = f"{number} {version}".encode()
    assert asked == number, f"reply {asked} to request {number}"
    assert rest.endswith(tail), f"mixed or cut: {head!r} … {rest[-20:]!r}"
    assert hashlib.sha256(rest[:-len(tail)]).hexdigest() == HASHES[version][0], "the body changed"
    return version


def check_large(status: int, body: bytes) -> str:
    version = body[:1].decode()
    assert status == 200 and version in HASHES, (status, body[:100])
    assert hashlib.sha256(body).hexdigest() == HASHES[version][1], \
        f"cut or mixed: {len(body)} bytes, {body[:3]!r} … {body[-3:]!r}"
    return version


class Load:
    """Threads that ask until stop(); every reply is checked, every failure kept."""

    def __init__(self, shop):
        self.port = shop.port
        self.ended = threading.Event()
        self.failures: list[str] = []
        self.replies = 0
        self.versions: set[str] = set()
        self.lock = threading.Lock()
        self.threads: list[threading.Thread] = []

    def add(self, work, times: int = 1) -> "Load":
        for _ in range(times):
            self.threads.append(threading.Thread(target=self._run, args=(work,), daemon=True))
        return self

    def _run(self, work) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001: whatever it is, it is a failed request
            self.failures.append(f"{work.__name__}: {type(error).__name__}: {error}")

    def note(self, version: str) -> None:
        with self.lock:
            self.replies += 1
            self.versions.add(version)

    def keep_alive(self) -> None:
        reader, n = Reader(self.port), 0
        while not self.ended.is_set():
            n += 1
            reader.send(f"/swap/now/{n}")
            self.note(check_numbered(*reader.reply(), str(n)))
        reader.close()

    def pipelining(self) -> None:
        reader, n = Reader(self.port), 0
        while not self.ended.is_set():
            numbers = [str(n + i) for i in range(8)]
            n += 8
            reader.send(*(f"/swap/{'later' if i % 4 == 3 else 'now'}/{m}"
                          for i, m in enumerate(numbers)))
            for m in numbers:
                self.note(check_numbered(*reader.reply(), m))
        reader.close()

    def waiting(self) -> None:
        n = 0
        while not self.ended.is_set():
            reader, n = Reader(self.port), n + 1
            reader.send(f"/swap/later/{n}")
            self.note(check_numbered(*reader.reply(), str(n)))
            reader.close()

    def slow_reader(self) -> None:
        while not self.ended.is_set():
            reader = Reader(self.port, small_window=True)
            reader.send(*["/swap/large"] * KERNEL)
            time.sleep(0.3)
            for _ in range(KERNEL):
                self.note(check_large(*reader.reply(pause=0.0001)))
                reader.hurry()
            reader.close()

    def leaving(self) -> None:
        """Asks and goes away before the answer."""
        while not self.ended.is_set():
            reader = Reader(self.port)
            reader.send("/swap/later/0", "/swap/large")
            time.sleep(0.01)
            reader.close()

    def start(self) -> "Load":
        """Returns once there are replies: what follows happens under load, however soon it is over."""
        for thread in self.threads:
            thread.start()
        self.wait_replies(len(self.threads))
        return self

    def wait_replies(self, more: int) -> None:
        """Until there are so many more than now, or a failure."""
        wanted = self.replies + more
        wait_until(lambda: self.replies >= wanted or self.failures, "the load has no replies")

    def stop(self) -> None:
        self.ended.set()
        for thread in self.threads:
            thread.join(60)
