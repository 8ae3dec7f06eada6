"""Visitors who ask for one page all the time, while something else happens. SPDX-License-Identifier: Apache-2.0"""
import ssl
import threading
import time

from support.account import IDLE_S
from support.client import Client
from support.control import wait_until


class Visitors:
    """with Visitors(shop, path, keep=2, fresh=3) as visitors: …; then visitors.failed and visitors.done.
    keep: so many over a connection that stays; fresh: so many over a new one each time."""

    def __init__(self, shop, path: str, keep: int, fresh: int = 0, tls=None):
        self.shop, self.path, self.tls = shop, path, tls
        self.done, self.failed, self.lock = 0, [], threading.Lock()
        self.stopped = threading.Event()
        self.threads = [threading.Thread(target=self._run, args=(n < keep,)) for n in range(keep + fresh)]

    def __enter__(self) -> "Visitors":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join()

    def wait_more(self, count: int) -> None:
        """Until there are so many more answers than now, or a failure."""
        wanted = self.done + count
        wait_until(lambda: self.done >= wanted or self.failed, "visitors are not answered")

    def _run(self, keep: bool) -> None:
        client = Client(self.shop, tls=self.tls)
        asked = time.monotonic()
        while not self.stopped.is_set():
            before, asked = asked, time.monotonic()
            since = before if client.connection else asked
            try:
                status = client.get(self.path).status
                if status != 200:
                    self.failed.append(status)
                with self.lock:
                    self.done += 1
                if not keep:
                    client.close()
            except Exception as error:  # a thread's failure must reach the test
                is_ended = isinstance(error, (ConnectionError, ssl.SSLError))
                if not is_ended or isinstance(error, ConnectionRefusedError) or time.monotonic() - since < IDLE_S / 2:
                    self.failed.append(repr(error))  # otherwise this thread stood still: it seemed idle
                client.close()
        client.close()
