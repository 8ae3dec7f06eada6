"""Bytes on a socket: requests written by hand, replies read strictly.
SPDX-License-Identifier: Apache-2.0"""
import contextlib
import fcntl
import os
import pathlib
import resource
import signal
import socket
import ssl
import subprocess
import termios
import threading
import time

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[3]
BUILD = pathlib.Path(os.environ.get("STOA_BUILD", ROOT / "build"))
TEST_SERVER = BUILD / "tests" / "unit" / "http" / "http_test_server"

FIXED = {
    "content-security-policy": "default-src 'self'; script-src 'self'; style-src 'self'; "
                               "object-src 'none'; base-uri 'none'; frame-ancestors 'none'; "
                               "form-action 'self'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-frame-options": "DENY",
}


class Closed(Exception):
    """The connection ended before a reply was whole. .got: what came."""

    def __init__(self, got=b""):
        super().__init__(f"closed after {got[:80]!r}")
        self.got = got


class StoodStill(Exception):
    """The machine did, for so long that the server may have ended an idle connection."""


@contextlib.contextmanager
def not_idle(seconds=0.5, since=None):
    """A connection that ends meanwhile was ended too soon, unless that took so long that it may have been idle.
    A drain keeps an idle one for a second."""
    since = since or time.monotonic()
    try:
        yield
    except (Closed, OSError):
        assert time.monotonic() - since > seconds, "it was ended too soon"
        raise StoodStill from None


def until_it_moves(attempt):
    """attempt(), again when the machine stood still in it."""
    for _ in range(5):
        try:
            return attempt()
        except StoodStill:
            pass
    pytest.fail("the machine stood still five times")


class Reply:
    def __init__(self, status, lines, body, minor):
        self.status, self.lines, self.body, self.minor = status, lines, body, minor

    def all(self, name):
        return [v for n, v in self.lines if n == name]

    def header(self, name):
        values = self.all(name)
        assert len(values) <= 1, f"{name} came {len(values)} times"
        return values[0] if values else None


class Connection:
    def __init__(self, address, timeout=30, receive=None, tls=None):
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        self.sock = socket.socket(family)
        self.sock.settimeout(timeout)
        if receive:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive)
        self.sock.connect(address)
        if tls:
            self.sock = tls.wrap_socket(self.sock, server_hostname="localhost")
        self.rest = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.sock.close()

    def reset(self):
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        self.sock.close()

    def send(self, data):
        self.sock.sendall(data)

    def get(self, path, method="GET", headers="", body=None):
        length = f"Content-Length: {len(body)}\r\n" if body is not None else ""
        self.send(f"{method} {path} HTTP/1.1\r\nHost: shop.example\r\n{length}{headers}\r\n"
                  .encode("latin-1") + (body or b""))
        return self.reply(is_head=method == "HEAD")

    def more(self):
        try:
            data = self.sock.recv(65536)
        except (ConnectionResetError, ssl.SSLError):
            data = b""
        if not data:
            raise Closed(self.rest)
        self.rest += data

    def line(self):
        while b"\r\n" not in self.rest:
            self.more()
        line, self.rest = self.rest.split(b"\r\n", 1)
        return line.decode("latin-1")

    def head(self):
        version, status = self.line().split(" ")[:2]
        assert version.startswith("HTTP/1."), version
        lines = []
        while line := self.line():
            name, value = line.split(":", 1)
            assert name and not name.endswith(" ") and "\n" not in line, line
            lines.append((name.lower(), value.strip()))
        return int(status), lines, int(version[7:])

    def reply(self, is_head=False):
        status, lines, minor = self.head()
        while status == 100:
            status, lines, minor = self.head()
        names = [n for n, _ in lines]
        assert names.count("content-length") <= 1
        assert "transfer-encoding" not in names, "replies have a length"
        length = int(dict(lines).get("content-length", 0))
        if is_head or status in (204, 304):
            length = 0
        while len(self.rest) < length:
            self.more()
        body, self.rest = self.rest[:length], self.rest[length:]
        return Reply(status, lines, body, minor)

    def at_end(self, timeout=8):
        """True when the server has closed, cleanly or not; bytes that come are an error. It ends what is
        idle after 10 s: that is not meant."""
        self.sock.settimeout(timeout)
        try:
            data = self.rest or self.sock.recv(1)
        except (ConnectionResetError, ssl.SSLEOFError):
            return True
        except socket.timeout:
            return False
        assert not data, f"unexpected bytes: {data!r}"
        return True

    def is_silent(self, seconds=0.2):
        """Nothing comes within that time, not even the end. (Read, as TLS has bytes of its own.)"""
        before = self.sock.gettimeout()
        self.sock.settimeout(seconds)
        try:
            self.rest = self.rest or self.sock.recv(1)
        except socket.timeout:
            return True
        except ConnectionResetError:
            pass
        finally:
            self.sock.settimeout(before)
        return False

    def hurry(self):
        """Takes all that comes from now on. A small window is a turn of both processes for every few KB,
        which takes as long as the machine is busy."""
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)

    def is_confirmed(self):
        """All that was sent has reached the other side, though it may lie there unread."""
        return unconfirmed(self.sock) == 0

    def ends_cleanly(self, timeout=1.8):
        """The server says that it is done, and does not reset what may still be on its way. After 2 s it
        listens no longer: that is not meant."""
        self.sock.settimeout(timeout)
        try:
            return not self.rest and self.sock.recv(1) == b""
        except (ConnectionResetError, socket.timeout):
            return False


class Server:
    """http_test_server with limits of the test's own, or whatever STOA_TEST_URL names."""

    def __init__(self, address, process=None, log=None, tls=None):
        self.address, self.process, self.log, self.tls = address, process, log, tls
        self.errors = []

    @classmethod
    def start(cls, log_path, files_max=None, certificate=None, more=(), **options):
        """certificate: of the first listener, which then speaks TLS; more: further arguments for it."""
        argv = [str(TEST_SERVER)]
        if certificate:
            argv += ["--listen", options.pop("listen", "127.0.0.1:0"), "--certificate", str(certificate.pem),
                     "--key", str(certificate.key), *more]
        for name, value in options.items():
            for one in value if isinstance(value, (list, tuple)) else [value]:
                argv += [f"--{name.replace('_', '-') if name in ('form_action',) else name}",
                         str(one)]

        def limit():
            resource.setrlimit(resource.RLIMIT_NOFILE, (files_max, files_max))

        log = open(log_path, "wb")
        process = subprocess.Popen(argv, stdout=log, stderr=subprocess.PIPE, text=True,
                                   preexec_fn=limit if files_max else None)
        line = process.stderr.readline()
        if not line.startswith("listening "):
            process.wait(10)
            raise RuntimeError(line + process.stderr.read())
        host, port = line.split()[1].rsplit(":", 1)
        server = cls((host.strip("[]") or "127.0.0.1", int(port)), process, log_path,
                     certificate.context() if certificate else None)
        threading.Thread(target=server._read_errors, daemon=True).start()
        return server

    def _read_errors(self):
        for line in self.process.stderr:
            self.errors.append(line)

    def connect(self, **kwargs):
        return Connection(self.address, **{"tls": self.tls, **kwargs})

    def get(self, path, **kwargs):
        with self.connect() as c:
            return c.get(path, **kwargs)

    def metric(self, name, probe=None):
        """probe: a connection that is open already, where a new one would find no place or be counted."""
        reply = probe.get("/metrics") if probe else self.get("/metrics")
        for line in reply.body.decode().splitlines():
            if line.startswith((f"stoa_{name} ", f"{name} ")):
                return int(float(line.split()[1]))
        raise KeyError(name)

    def rss(self):
        with open(f"/proc/{self.process.pid}/statm") as f:
            return int(f.read().split()[1]) * resource.getpagesize()

    def cpu(self):
        with open(f"/proc/{self.process.pid}/stat") as f:
            fields = f.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def cpu_share(self, seconds):
        """Of one processor, over that span; read from the kernel, so that load beside it does not count."""
        cpu, start = self.cpu(), time.monotonic()
        time.sleep(seconds)
        return (self.cpu() - cpu) / (time.monotonic() - start)

    def halt(self):
        """SIGSTOP, and no thread runs any more."""
        self.process.send_signal(signal.SIGSTOP)
        tasks = pathlib.Path(f"/proc/{self.process.pid}/task")
        eventually(lambda: all("\nState:\tT" in (task / "status").read_text() for task in tasks.iterdir()))

    def term(self):
        self.process.send_signal(signal.SIGTERM)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def unconfirmed(sock):
    """Bytes that the other side has not confirmed."""
    return int.from_bytes(fcntl.ioctl(sock, termios.TIOCOUTQ, b"\0" * 4), "little")


def eventually(fact, seconds=60, step=0.02):
    """Waits until fact() is true; returns how long that took."""
    start = time.monotonic()
    while not fact():
        assert time.monotonic() - start < seconds, "it never became true"
        time.sleep(step)
    return time.monotonic() - start


def percentile(values, share):
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]
