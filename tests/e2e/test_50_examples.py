"""The examples work as the guides say. SPDX-License-Identifier: Apache-2.0"""
import signal
import threading

from support.client import Client
from support.control import ask, wait_until
from support.shop import collect_plugins


def begin(shop, work) -> threading.Thread:
    """In a thread, which is being answered; again if that was over before it could be seen."""
    while True:
        thread = threading.Thread(target=work)
        thread.start()
        wait_until(lambda: ask(shop, "status")["in_flight"] >= 1 or not thread.is_alive())
        if thread.is_alive():
            return thread


def test_hello_answers_and_waits_through_a_drain(make_shop, tmp_path):
    folder = collect_plugins(tmp_path / "plugins")
    shop = make_shop(plugins="hello = {}", more=f'plugin_path = "{folder}",').start()
    assert Client(shop).get("/hello").text == "Hello, world"
    answers = []
    before = Client(shop)
    assert before.get("/livez").status == 200
    waiting = begin(shop, lambda: answers.append(Client(shop).get("/hello/later")))
    shop.process.send_signal(signal.SIGTERM)
    waiting.join()
    assert [(a.status, a.text) for a in answers] == [(200, "Hello, world")] * len(answers) and answers
    assert shop.wait() == 0
