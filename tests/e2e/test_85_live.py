"""What changes beside the world, without a restart: limits, rate, log, listeners.
SPDX-License-Identifier: Apache-2.0"""
import os
import pathlib
import signal
import socket

from support.client import Client, buy
from support.control import apply, ask, edit, serving, wait_until
from support.shop import free_ports
from support.swaps import Reader


def status_of(port: int, path: str = "/livez") -> int:
    reader = Reader(port)
    reader.send(path)
    status = reader.reply()[0]
    reader.close()
    return status


def is_open(port: int) -> bool:
    with socket.socket() as s:
        return s.connect_ex(("127.0.0.1", port)) == 0


def test_limits_and_rate_change_at_once(make_shop):
    shop = make_shop(limits='target = "1KiB"').start()
    long = "/api/v1/products?q=" + "x" * 1500
    assert status_of(shop.port, long) == 414
    edit(shop, '"1KiB"', '"4KiB"')
    apply(shop)
    assert status_of(shop.port, long) == 200
    edit(shop, "requests = 0", "requests = 1, burst = 1")
    apply(shop)
    assert 429 in [status_of(shop.port, "/api/v1/products") for _ in range(20)]
    edit(shop, "requests = 1, burst = 1", "requests = 0")
    apply(shop)
    assert [status_of(shop.port, "/api/v1/products") for _ in range(20)] == [200] * 20
    assert shop.stop() == 0


def test_the_shop_changes_its_name_and_the_sender_of_its_mails(make_shop):
    shop = make_shop().start()
    edit(shop, 'name = "Test Shop"', 'name = "Other Shop", email = "other@example.com"')
    edit(shop, 'max = "16MiB"', 'max = "2MiB"')
    for _ in range(3):
        apply(shop)
    client = Client(shop)
    assert "Other Shop" in client.get("/").text
    assert buy(shop, client.get("/api/v1/products").json["items"][0]["sku"]).status == 201
    mails = shop.data / "mail"
    found = wait_until(lambda: [m for m in mails.glob("*.eml") if b"Other Shop" in m.read_bytes()], "no mail")
    assert b"other@example.com" in found[0].read_bytes()
    assert shop.stop() == 0


def test_the_log_changes_its_level_and_file(make_shop):
    shop = make_shop().start()
    log = shop.folder / "other.log"
    edit(shop, 'level = "info"', f'level = "info", file = "{log}"')
    apply(shop)
    status_of(shop.port, "/api/v1/products")
    wait_until(lambda: "/api/v1/products" in log.read_text(), "nothing in the log")
    edit(shop, 'level = "info"', 'level = "error"')
    apply(shop)
    size = log.stat().st_size
    assert ask(shop, "apply")["ok"]
    assert "a new world" not in log.read_text()[size:]
    edit(shop, str(log), "/nowhere/at/all.log")
    answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == "listen" and "log" in answer["text"]
    assert shop.stop() == 0


def test_other_proxies_are_trusted_at_once_on_open_connections_too(make_shop):
    shop = make_shop(seed=False, limits='request_time = "60s"')
    shop.cli("migrate")
    shop.start()
    open_before, behind = Client(shop), Client(shop)

    def client_of(client) -> str:
        """Whom the log names as the visitor, when a proxy speaks for 203.0.113.5."""
        with shop.changed:
            since = len(shop.lines)
        assert client.get("/livez", x_forwarded_for="203.0.113.5").status == 200
        return shop.wait_log(lambda l: l.get("path") == "/livez", since=since)["client"]

    def await_client(name: str) -> None:
        """Each loop hears by itself of what an apply has changed about proxies."""
        for client in (open_before, behind):
            wait_until(lambda: client_of(client) == name, "other proxies are trusted")

    assert client_of(open_before) == "127.0.0.1"
    edit(shop, "  rate =", '  trusted_proxies = { "127.0.0.0/8" },\n  rate =')
    apply(shop)
    await_client("203.0.113.5")
    edit(shop, '"127.0.0.0/8"', '"10.0.0.1/8"')
    answer = ask(shop, "apply")
    assert not answer["ok"] and "is no network" in answer["text"] and answer["line"] > 0
    assert client_of(behind) == "203.0.113.5"
    edit(shop, '"10.0.0.1/8"', '"10.0.0.0/8"')
    apply(shop)
    await_client("127.0.0.1")
    wait_until(lambda: client_of(Client(shop)) == "127.0.0.1", "other proxies are trusted")
    assert shop.stop() == 0


def test_the_shop_moves_to_another_port(make_shop):
    shop = make_shop(limits='request_time = "60s"')  # for who stays
    old, new = free_ports(2)  # nobody else takes one meanwhile
    edit(shop, '"127.0.0.1:0"', f'"127.0.0.1:{old}"')
    shop.start()
    stays = Reader(old)
    stays.send("/livez")
    assert stays.reply()[0] == 200
    edit(shop, f'"127.0.0.1:{old}"', f'"127.0.0.1:{old}", "127.0.0.1:{new}"')
    apply(shop)
    assert sorted(ask(shop, "status")["listen"]) == sorted([f"127.0.0.1:{old}", f"127.0.0.1:{new}"])
    assert status_of(old) == 200 and [status_of(new) for _ in range(50)] == [200] * 50
    edit(shop, f'"127.0.0.1:{old}", ', "")
    apply(shop)
    assert ask(shop, "status")["listen"] == [f"127.0.0.1:{new}"]
    wait_until(lambda: not is_open(old), "the old port stays open")
    stays.send("/livez")  # what was open stays open
    assert stays.reply()[0] == 200
    stays.close()
    assert [status_of(new) for _ in range(50)] == [200] * 50
    edit(shop, f'"127.0.0.1:{new}"', f'"127.0.0.1:{old}"')
    apply(shop)
    assert status_of(old) == 200
    assert shop.stop() == 0


def test_what_is_applied_could_also_be_started(make_shop):
    shop = make_shop().start()
    before, free = ask(shop, "status")["listen"], free_ports(1)[0]
    edit(shop, '"127.0.0.1:0"', f'"127.0.0.1:0", "127.0.0.1:{free}", "127.0.0.1:{free}"')
    answer = ask(shop, "apply")
    assert not answer["ok"] and "listen[3] is an address that is in the list already" in answer["text"]
    assert answer["line"] > 0 and ask(shop, "status")["listen"] == before and not is_open(free)
    edit(shop, f'"127.0.0.1:{free}", "127.0.0.1:{free}"', '"127.0.0.1:0"')
    apply(shop)  # each of port 0 is an address of its own
    after = ask(shop, "status")["listen"]
    assert len(set(after)) == 2 and before[0] in after
    assert [status_of(int(one.rsplit(":", 1)[1])) for one in after] == [200, 200]
    apply(shop)
    assert ask(shop, "status")["listen"] == after
    assert shop.stop() == 0


def test_a_port_in_use_changes_nothing(make_shop):
    shop = make_shop().start()
    before = ask(shop, "status")
    free, port = free_ports(2)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", port))
        taken.listen()
        edit(shop, '"127.0.0.1:0"', f'"127.0.0.1:0", "127.0.0.1:{free}", "127.0.0.1:{port}"')
        answer = ask(shop, "apply")
    assert not answer["ok"] and answer["step"] == "listen" and answer["line"] > 0
    assert f"127.0.0.1:{port} is in use" in answer["text"] and "config.lua" in answer["text"]
    after = ask(shop, "status")
    for key in ("config_hash", "world", "listen", "revision"):
        assert after[key] == before[key]
    assert not is_open(free) and status_of(shop.port) == 200
    apply(shop)  # nobody has it any more
    assert status_of(port) == 200 and status_of(free) == 200
    assert shop.stop() == 0


def has_open(pid: int, path: pathlib.Path) -> bool:
    fds = pathlib.Path(f"/proc/{pid}/fd")
    return any(os.path.realpath(fd) == str(path) for fd in fds.iterdir())


def test_usr1_opens_the_log_of_the_configuration_in_force(make_shop, tmp_path):
    """Of worker and supervisor, which writes to it as well."""
    first, second = tmp_path / "first.log", tmp_path / "second.log"
    shop = make_shop(seed=False).start()
    edit(shop, 'log = { format = "json"', f'log = {{ file = "{first}", format = "json"')
    apply(shop)
    edit(shop, str(first), str(second))
    apply(shop)
    kept = second.rename(tmp_path / "second.log.1")
    shop.process.send_signal(signal.SIGUSR1)
    for pid in (shop.worker(), shop.process.pid):
        wait_until(lambda: has_open(pid, second), "the log was not opened again")
    Client(shop).get("/livez")
    wait_until(lambda: '"/livez"' in second.read_text(), "the worker writes elsewhere")
    worker = shop.worker()
    os.kill(worker, signal.SIGKILL)
    wait_until(lambda: '"area":"supervisor"' in second.read_text().replace(" ", ""),
               "the supervisor writes elsewhere")
    serving(shop, other_than=worker)
    edit(shop, f'file = "{second}", ', "")
    apply(shop)
    seen = len(shop.lines)
    Client(shop).get("/livez")
    shop.wait_log(lambda l: l.get("path") == "/livez", since=seen)  # standard error again
    assert '"/livez"' not in kept.read_text() and second.exists()
