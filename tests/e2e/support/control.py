"""A running shop from its operator's side: the control socket, config.lua, and waiting for what follows.
SPDX-License-Identifier: Apache-2.0"""
import json
import re
import socket
import time

PATIENCE_S = 60  # for what a quiet machine does at once; sanitizers and a busy one are slow


def wait_until(fact, what="it did not happen", seconds: float = PATIENCE_S):
    """What fact() returns, once that is true. what: said when it never is; a text, or a function."""
    deadline = time.monotonic() + seconds
    while not (found := fact()):
        assert time.monotonic() < deadline, what() if callable(what) else what
        time.sleep(0.01)
    return found


def talk(shop, question: str, timeout: float = PATIENCE_S) -> str:
    """Who does not say a question within seconds is cut off. A reset, or a broken pipe, is of one that was not read."""
    for _ in range(10):
        try:
            return talk_once(shop, question, timeout)
        except (BrokenPipeError, ConnectionResetError):
            pass
    return talk_once(shop, question, timeout)


def talk_once(shop, question: str, timeout: float) -> str:
    with socket.socket(socket.AF_UNIX) as s:
        s.settimeout(timeout)
        s.connect(str(shop.data / "control.sock"))
        s.sendall(question.encode())
        return b"".join(iter(lambda: s.recv(65536), b"")).decode()


def ask(shop, question: str, timeout: float = PATIENCE_S) -> dict:
    """One question to the control socket, as `stoa apply` and its like ask it."""
    return json.loads(talk(shop, question, timeout))


def metric(shop, name: str) -> int:
    """As the control socket has it: no request is made for it."""
    return int(re.search(rf"^stoa_{name} (-?\d+)$", talk(shop, "metrics"), re.M)[1])


def serving(shop, other_than: int = 0) -> dict:
    """Status, once a worker other than that one serves."""
    def look():
        try:
            status = ask(shop, "status")
        except ValueError:
            return None  # the worker that was to answer has ended
        except ConnectionError:
            return None  # the socket has its name, and nobody listens yet
        return status if status.get("worker", other_than) != other_than else None

    return wait_until(look, "no new worker serves")


def apply(shop) -> dict:
    answer = ask(shop, "apply")
    assert answer["ok"], answer
    return answer


def edit(shop, old: str, new: str) -> None:
    """Of config.lua."""
    text = shop.config.read_text()
    assert old in text
    shop.config.write_text(text.replace(old, new))
