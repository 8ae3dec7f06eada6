"""Certificates of a running shop: in force, renewed under load, refused, expired. SPDX-License-Identifier: Apache-2.0"""
import http.client
import os
import pathlib
import re
import signal
import socket
import ssl

import pytest
from support.certificates import Certificate, blind
from support.client import Client, buy
from support.control import apply, ask, edit, metric, serving, wait_until
from support.page import Browser
from support.shop import free_ports
from support.swaps import link
from support.visitors import Visitors

IN_A_ROW = 8
LISTEN = 'all = { listen = { stoa.tls { "127.0.0.1:0", %s } }, run = "*" }'


@pytest.fixture
def certificate(tmp_path):
    return Certificate(tmp_path)


def open_shop(make_shop, certificate, seed=False, **options):
    # All visitors come from one address, and some stay.
    options = {"limits": 'handshakes_per_address = 10000, request_time = "60s"', **options}
    shop = make_shop(seed=False, nodes=LISTEN % certificate.lua(), **options)
    for path in (certificate.pem, certificate.key):  # beside config.lua, which names them
        os.rename(path, shop.folder / path.name)
    certificate.pem, certificate.key = shop.folder / "shop.pem", shop.folder / "shop.key"
    shop.cli("migrate")
    if seed:
        shop.cli("seed")
    return shop


def served(shop, name="127.0.0.1") -> str:
    """The certificate that a new client is shown, as PEM."""
    with socket.create_connection(("127.0.0.1", shop.port), 10) as raw:
        with blind().wrap_socket(raw, server_hostname=name) as s:
            return ssl.DER_cert_to_PEM_cert(s.getpeercert(True)).strip()


def is_served(shop, certificate) -> bool:
    try:
        return served(shop) == certificate.pem.read_text().strip()
    except OSError:  # by a loop that has not heard of it yet: plain
        return False


def await_served(shop, certificate) -> None:
    """Each loop hears by itself of what an apply has changed about listeners, and the kernel chooses the
    loop: so many in a row are of all of them."""
    wait_until(lambda: all(is_served(shop, certificate) for _ in range(IN_A_ROW)),
               "the new certificate is not served")


@pytest.mark.short
def test_a_purchase_over_https(make_shop, certificate):
    shop = open_shop(make_shop, certificate, seed=True).start()
    shop.tls = certificate.context()
    browser, client = Browser(shop), Client(shop)
    page = browser.open("/products/aegina-mug")
    assert page.answer.headers["strict-transport-security"] == "max-age=31536000"
    assert "empty" not in browser.submit(page.form("/cart/add"), quantity="1").text
    assert browser.cookies and all(name.startswith("__Host-") for name in browser.cookies)
    assert buy(shop, client.get("/api/v1/products").json["items"][0]["sku"]).status == 201
    status = ask(shop, "status")
    (one,) = status["certificates"]
    assert one["file"] == str(certificate.pem) and one["days"] in (99, 100) and "problem" not in one
    assert one["names"] == "127.0.0.1 localhost" and one["address"] == f"127.0.0.1:{shop.port}"
    assert abs(metric(shop, "certificate_seconds_left") - 100 * 86400) < 600
    assert shop.stop() == 0
    key = certificate.key.read_text().splitlines()[1]
    assert key not in shop.talk() + str(status) + shop.cli("check", "--effective").stdout


def test_a_renewed_certificate_fails_nobody(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    stays = Client(shop, tls=blind())
    assert stays.get("/livez").status == 200
    kept = stays.connection
    assert ask(shop, "plan")["certificates"] == []
    with Visitors(shop, "/livez", keep=2, fresh=3, tls=blind()) as visitors:
        for turn in range(6):
            visitors.wait_more(20)
            certificate.renew()
            if turn == 0:
                (change,) = ask(shop, "plan")["certificates"]
                assert change["change"] == "changed" and change["address"] == "127.0.0.1:0"
                text = shop.cli("plan").stdout
                assert f"certificate of 127.0.0.1:0 changed: {certificate.pem}" in text and "valid until 20" in text
            if turn % 2:
                os.kill(shop.process.pid, signal.SIGHUP)
            else:
                apply(shop)
            wait_until(lambda: is_served(shop, certificate), "the new certificate is not served")
            assert stays.get("/livez").status == 200  # and it is not idle for so long that it is ended
        visitors.wait_more(20)
    assert not visitors.failed and visitors.done > 100
    assert stays.get("/livez").status == 200 and stays.connection is kept, "an old connection lives on"
    assert shop.stop() == 0


def session_of(shop, context):
    with context.wrap_socket(socket.create_connection(("127.0.0.1", shop.port), 10), server_hostname="127.0.0.1") as s:
        s.sendall(b"GET /livez HTTP/1.1\r\nHost: a\r\n\r\n")
        s.recv(65536)
        return s.session


def test_tickets_survive_an_apply_that_changes_no_certificate(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    context = blind()
    session = session_of(shop, context)
    apply(shop)
    raw = socket.create_connection(("127.0.0.1", shop.port), 10)
    with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as s:
        assert s.session_reused
    certificate.renew()
    apply(shop)
    await_served(shop, certificate)
    raw = socket.create_connection(("127.0.0.1", shop.port), 10)
    with context.wrap_socket(raw, server_hostname="127.0.0.1", session=session) as s:
        assert not s.session_reused
    assert shop.stop() == 0


def test_what_cannot_be_used_changes_nothing(make_shop, certificate, tmp_path):
    shop = open_shop(make_shop, certificate).start()
    before, old = served(shop), certificate.pem.read_text()
    line = next(i for i, text in enumerate(shop.config.read_text().splitlines(), 1) if "stoa.tls" in text)
    other = Certificate(tmp_path, "other")
    certificate.pem.write_text(other.pem.read_text())  # half of a renewal
    for answer in (ask(shop, "plan"), ask(shop, "apply")):
        assert not answer["ok"] and answer["line"] == line
        assert f"{certificate.key} is not the key of {certificate.pem}" in answer["text"]
        assert f"config.lua:{line}:" in answer["text"] and "key =" in answer["text"]
    done = shop.cli("check", check=False)
    assert done.returncode == 78 and "is not the key of" in done.stderr and f":{line}:" in done.stderr
    certificate.pem.unlink()
    done = shop.cli("check", check=False)
    assert done.returncode == 78 and f"{certificate.pem} cannot be read: No such file" in done.stderr
    assert served(shop) == before
    certificate.pem.write_text(old)
    apply(shop)
    assert shop.stop() == 0
    certificate.pem.unlink()
    shop.launch()
    assert shop.wait() == 78 and "cannot be read" in shop.talk()


def test_an_expired_certificate_and_an_open_key_are_said_aloud(make_shop, certificate):
    certificate.renew(days=10, made_days_ago=30)
    shop = open_shop(make_shop, certificate)
    done = shop.cli("check")
    assert re.search(r"warning: .*shop.pem: it has expired on \d{4}-\d\d-\d\d", done.stderr)
    shop.start()
    line = shop.wait_log(lambda l: l.get("message") == "a certificate needs attention")
    assert line["level"] == "error" and "expired" in line["why"]
    client = Client(shop, tls=blind())
    assert client.get("/livez").status == 200 and metric(shop, "certificate_seconds_left") < -86400 * 15
    assert "expired" in ask(shop, "status")["certificates"][0]["problem"]
    assert "expired" in ask(shop, "plan")["certificates"][0]["problem"] and "expired" in shop.cli("plan").stdout
    certificate.renew()
    certificate.key.chmod(0o644)
    apply(shop)
    line = shop.wait_log(lambda l: "can read its key" in l.get("why", ""))
    assert line["level"] == "warn"
    await_served(shop, certificate)
    assert "can read its key" in shop.cli("check").stderr
    assert "can read its key" in ask(shop, "status")["certificates"][0]["problem"]
    certificate.key.chmod(0o600)
    apply(shop)
    assert "problem" not in ask(shop, "status")["certificates"][0]
    certificate.pem.with_name("moved.pem").write_bytes(certificate.pem.read_bytes())
    edit(shop, '"shop.pem"', '"moved.pem"')
    assert [c["change"] for c in ask(shop, "plan")["certificates"]] == ["added", "removed"]
    apply(shop)
    assert ask(shop, "status")["certificates"][0]["file"].endswith("moved.pem")
    assert shop.stop() == 0


def is_answered(client) -> bool:
    try:
        return client.get("/livez").status == 200
    except (OSError, http.client.HTTPException):  # an alert of a loop that still greets
        return False
    finally:
        client.close()


def test_an_address_becomes_https_and_plain_again(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    shop.stop()
    port, = free_ports(1)
    tls = f'stoa.tls {{ "127.0.0.1:0", {certificate.lua()} }}'
    edit(shop, tls, f'"127.0.0.1:{port}"')
    shop.start()
    plain = Client(shop)
    assert plain.get("/livez").status == 200
    edit(shop, f'"127.0.0.1:{port}"', f'stoa.tls {{ "127.0.0.1:{port}", {certificate.lua()} }}')
    (change,) = ask(shop, "plan")["certificates"]
    assert change["change"] == "added"
    apply(shop)
    await_served(shop, certificate)
    assert plain.get("/livez").status == 200, "a connection goes on with what it has"
    assert Client(shop, tls=certificate.context()).get("/livez").headers["strict-transport-security"]
    edit(shop, f'stoa.tls {{ "127.0.0.1:{port}", {certificate.lua()} }}', f'"127.0.0.1:{port}"')
    apply(shop)
    wait_until(lambda: all(is_answered(Client(shop)) for _ in range(IN_A_ROW)), "it does not become plain")
    assert ask(shop, "status")["certificates"] == []
    assert shop.stop() == 0


def test_a_new_worker_greets_as_the_old_one_did(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    before = served(shop)
    kill_worker(shop)
    assert served(shop) == before
    with Visitors(shop, "/livez", keep=2, fresh=3, tls=blind()) as visitors:
        visitors.wait_more(20)
        assert ask(shop, "upgrade")["ok"]
        visitors.wait_more(20)
    assert not visitors.failed and served(shop) == before
    assert shop.stop() == 0


def kill_worker(shop) -> None:
    worker = shop.worker()
    os.kill(worker, signal.SIGKILL)
    serving(shop, other_than=worker)


def problem(shop) -> str:
    return ask(shop, "status")["certificates"][0].get("problem", "")


def test_a_worker_comes_up_with_what_the_files_held_before(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    before, key = served(shop), certificate.key.read_text()
    certificate.key.write_text(key[:100])  # it is being written just now
    for _ in range(2):  # what was kept is kept on
        since = len(shop.lines)
        kill_worker(shop)
        assert served(shop) == before
        line = shop.wait_log(lambda l: l.get("message") == "a certificate needs attention", since=since)
        assert line["level"] == "error" and f"{certificate.key} holds no private key" in line["why"]
        assert "what its files held before is served" in problem(shop)
    for question in ("apply", "upgrade"):  # both read the files
        answer = ask(shop, question)
        assert not answer["ok"] and "holds no private key" in answer["text"]
    assert served(shop) == before and key.splitlines()[1] not in everything_below(shop.data)
    certificate.key.write_text(key)
    apply(shop)
    assert problem(shop) == "" and served(shop) == before
    assert ask(shop, "upgrade")["ok"]
    certificate.pem.unlink()
    kill_worker(shop)
    assert served(shop) == before and "cannot be read: No such file" in problem(shop)
    certificate.renew()
    apply(shop)
    await_served(shop, certificate)
    renewed = served(shop)
    certificate.pem.unlink()
    kill_worker(shop)
    assert served(shop) == renewed != before
    assert shop.stop() == 0


def everything_below(folder) -> str:
    return "".join(path.read_bytes().decode("latin-1") for path in folder.rglob("*") if path.is_file())


def test_nothing_is_kept_of_an_address_that_speaks_no_tls_any_more(make_shop, certificate):
    shop = open_shop(make_shop, certificate).start()
    await_kept(shop, 1)
    edit(shop, LISTEN[LISTEN.index("stoa.tls"):LISTEN.index(" }, run")] % certificate.lua(), '"127.0.0.1:0"')
    apply(shop)
    await_kept(shop, 0)
    assert shop.stop() == 0


def await_kept(shop, count: int) -> None:
    """Certificates in the supervisor's hands."""
    folder = pathlib.Path(f"/proc/{shop.process.pid}/fd")
    wait_until(lambda: sum("memfd:certificates" in link(fd) for fd in folder.iterdir()) == count,
               f"the supervisor does not keep {count}")
