"""The examples work as the guides say. SPDX-License-Identifier: Apache-2.0"""
import json
import signal
import threading

from support.client import Client
from support.shop import collect_plugins


def test_hello_answers_and_waits_through_a_drain(make_shop, tmp_path):
    folder = collect_plugins(tmp_path / "plugins")
    shop = make_shop(plugins="hello = {}", more=f'plugin_path = "{folder}",').start()
    assert Client(shop).get("/hello").text == "Hello, world"
    answers = []
    waiting = threading.Thread(target=lambda: answers.append(Client(shop).get("/hello/later")))
    waiting.start()
    before = Client(shop)
    while in_flight(shop) == 0:
        before.get("/livez")
    shop.process.send_signal(signal.SIGTERM)
    waiting.join()
    assert answers[0].status == 200 and answers[0].text == "Hello, world"
    assert shop.wait() == 0


def in_flight(shop) -> int:
    return json.loads(shop.cli("status").stdout)["in_flight"]
