"""The examples work as the guides say. SPDX-License-Identifier: Apache-2.0"""
import signal
import threading

from support.client import Client
from support.shop import collect_plugins
from support.swaps import wait_in_flight


def test_hello_answers_and_waits_through_a_drain(make_shop, tmp_path):
    folder = collect_plugins(tmp_path / "plugins")
    shop = make_shop(plugins="hello = {}", more=f'plugin_path = "{folder}",').start()
    assert Client(shop).get("/hello").text == "Hello, world"
    answers = []
    before = Client(shop)
    assert before.get("/livez").status == 200
    waiting = threading.Thread(target=lambda: answers.append(Client(shop).get("/hello/later")))
    waiting.start()
    wait_in_flight(shop, 1)
    shop.process.send_signal(signal.SIGTERM)
    waiting.join()
    assert answers[0].status == 200 and answers[0].text == "Hello, world"
    assert shop.wait() == 0
