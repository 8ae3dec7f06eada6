"""TLS listeners: what is greeted, what is refused, what a silent client costs.
SPDX-License-Identifier: Apache-2.0"""
import re
import socket
import ssl
import subprocess
import time

import pytest
import wire
from support.certificates import Certificate, blind

pytestmark = pytest.mark.short
GET = b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("certificates")


@pytest.fixture(scope="module")
def certificate(folder):
    return Certificate(folder)


def handshake(server, context, name="localhost", session=None):
    raw = socket.create_connection(server.address, 60)
    try:
        return context.wrap_socket(raw, server_hostname=name, session=session)
    except (ssl.SSLError, OSError):
        raw.close()
        raise


def s_client(server, *more):
    host, port = server.address
    return subprocess.run(["openssl", "s_client", "-connect", f"{host}:{port}", *more], input="", text=True,
                          capture_output=True, timeout=60)


def offering(protocols, certificate):
    context = certificate.context()
    context.set_alpn_protocols(protocols)
    return context


def test_only_http_1_1_is_spoken(serve, certificate):
    server = serve(certificate=certificate)
    assert handshake(server, offering(["h2", "http/1.1"], certificate)).selected_alpn_protocol() == "http/1.1"
    assert handshake(server, certificate.context()).selected_alpn_protocol() is None
    for only in (["h2"], ["h2c", "h3"], ["http/1.0"]):
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            handshake(server, offering(only, certificate))
    with server.connect() as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0\0")
        assert c.head()[0] == 400
    reply = server.get("/hello", headers="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: \r\n")
    assert reply.status == 200 and reply.header("upgrade") is None
    assert server.metric("tls_failures_total") == 3


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_new_versions_with_forward_secrecy_only(serve, certificate, version):
    server = serve(certificate=certificate)
    with handshake(server, certificate.context(minimum_version=version, maximum_version=version)) as s:
        assert s.version() == version.name.replace("_", ".")
        assert s.compression() is None
        assert re.match("TLS_|ECDHE-ECDSA-(AES.*-GCM|CHACHA20)", s.cipher()[0]), s.cipher()
    for more in (["-tls1_1", "-cipher", "DEFAULT@SECLEVEL=0"], ["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256"],
                 ["-tls1_2", "-cipher", "kRSA"]):
        assert "Cipher is (NONE)" in s_client(server, *more).stdout, more


def test_every_reply_says_https_only(serve, certificate):
    server = serve(certificate=certificate, headers_max=20)
    for more, status in (("", 200), ("Host: b\r\n", 400), ("a: b\r\n" * 30, 431)):
        reply = server.get("/hello", headers=more)
        assert (reply.status, reply.header("strict-transport-security")) == (status, "max-age=31536000")
    assert b"https=1\n" in server.get("/echo").body
    assert server.metric("requests_unparsed_total") == 0


def test_a_proxy_that_speaks_tls_says_how_its_visitor_came(serve, certificate):
    server = serve(certificate=certificate, proxy="127.0.0.0/8")
    for header, https in (("", 1), ("X-Forwarded-Proto: https\r\n", 1), ("X-Forwarded-Proto: http\r\n", 0)):
        reply = server.get("/echo", headers=header)
        assert b"https=%d\n" % https in reply.body, header
        assert bool(reply.header("strict-transport-security")) == bool(https)
    assert b"https=1\n" in serve(certificate=certificate).get("/echo", headers="X-Forwarded-Proto: http\r\n").body


def files(certificate):
    return ["--certificate", str(certificate.pem), "--key", str(certificate.key)]


def two_listeners(serve, certificate):
    one = serve(certificate=certificate, more=["--listen", "127.0.0.1:0", *files(certificate)])
    wire.eventually(lambda: one.errors)
    return one, wire.Server(("127.0.0.1", int(one.errors[0].rsplit(":", 1)[1])), tls=one.tls)


def session_of(server, context):
    with handshake(server, context) as s:
        s.sendall(GET % b"/hello")
        s.recv(65536)  # tickets of TLS 1.3 come after the handshake
        return s.session


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_ticket_is_good_at_its_own_listener_only(serve, certificate, version):
    one, other = two_listeners(serve, certificate)
    context = certificate.context(minimum_version=version, maximum_version=version)
    with handshake(one, context, session=session_of(one, context)) as s:
        assert s.session_reused
    with handshake(other, context, session=session_of(one, context)) as s:
        assert not s.session_reused
        s.sendall(GET % b"/hello")
        assert s.recv(100).startswith(b"HTTP/1.1 200")


def test_the_name_that_is_asked_for_chooses_the_certificate(serve, folder):
    names = [Certificate(folder, n, hosts) for n, hosts in
             (("first", ("a.example",)), ("second", ("b.example", "*.b.example")))]
    server = serve(certificate=names[0], more=files(names[1]))
    for name, wanted in (("a.example", 0), ("b.example", 1), ("shop.b.example", 1)):
        handshake(server, names[wanted].context(), name).close()
    for name in ("c.example", None):
        with handshake(server, blind(), name) as s:
            assert s.getpeercert(True) == ssl.PEM_cert_to_DER_cert(names[0].pem.read_text())


def test_silent_clients_count_and_are_sent_away(serve, certificate):
    server = serve(certificate=certificate, request_ms=4000, connections_per_address=30)
    silent = [socket.create_connection(server.address) for _ in range(10)]
    half = [socket.create_connection(server.address) for _ in range(10)]
    for s in half:
        s.sendall(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")  # a greeting that does not go on
    wire.eventually(lambda: server.metric("connections_open") == 21)
    more = [socket.create_connection(server.address) for _ in range(20)]
    wire.eventually(lambda: server_refused(more) >= 10)
    start = time.monotonic()
    for s in silent + half:
        s.settimeout(60)
        assert end_of(s)
    assert time.monotonic() - start < 8, "without that limit they may stay for 10 s"
    for s in more:
        s.close()
    wire.eventually(lambda: server.metric("connections_open") == 1)
    assert server.metric("tls_failures_total") >= 20


def server_refused(sockets):
    refused = 0
    for s in sockets:
        s.setblocking(False)
        try:
            refused += s.recv(1) == b""
        except BlockingIOError:
            pass
        except OSError:
            refused += 1
    return refused


def end_of(s):
    try:
        while s.recv(4096):  # an alert may come first
            pass
    except ConnectionResetError:
        pass
    return True


def test_plain_words_at_the_tls_door(serve, certificate):
    server = serve(certificate=certificate)
    with socket.create_connection(server.address, 60) as s:
        s.sendall(GET % b"/hello")
        assert b"HTTP" not in s.recv(4096)
    assert server.get("/hello").status == 200


def test_a_client_that_leaves_with_a_farewell_is_noticed(serve, certificate):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        server = serve(certificate=certificate)
        s = handshake(server, certificate.context(minimum_version=version, maximum_version=version))
        s.sendall(GET % b"/wait?ms=8000")
        wire.eventually(lambda: server.metric("requests_in_flight") == 2)
        s.settimeout(0.2)
        try:
            s.unwrap()  # sends close_notify, and waits for one
        except (ssl.SSLError, OSError):
            pass
        wire.eventually(lambda: server.metric("requests_abandoned_total") == 1)
        s.close()
        wire.eventually(lambda: server.metric("requests_in_flight") == 1)


def say_farewell(client, outgoing, raw):
    with pytest.raises((ssl.SSLWantReadError, ssl.SSLSyscallError)):
        client.unwrap()
    raw.sendall(outgoing.read())


def by_hand(server, certificate, version):
    """A socket, and its TLS client's other end: what the client writes is sent when the test wants it."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    context = certificate.context(minimum_version=version, maximum_version=version)
    client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    raw = socket.create_connection(server.address, 60)
    while True:
        try:
            client.do_handshake()
            raw.sendall(outgoing.read())
            return raw, client, incoming, outgoing
        except ssl.SSLWantReadError:
            raw.sendall(outgoing.read())
            incoming.write(raw.recv(65536))


def read_until(raw, client, incoming, wanted):
    data = b""
    while wanted not in data:
        try:
            data += client.read(65536)
        except ssl.SSLWantReadError:
            more = raw.recv(65536)
            if not more:
                raise wire.Closed(data)
            incoming.write(more)
    return data


@pytest.mark.parametrize("before", [b"", GET % b"/hello",
                                    b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nabc"])
@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_what_comes_after_a_farewell_is_not_kept(serve, certificate, version, before):
    server = serve(certificate=certificate)
    raw, client, incoming, outgoing = by_hand(server, certificate, version)
    with raw:
        if before:
            client.write(before)
        say_farewell(client, outgoing, raw)  # in one piece with what was before it
        if before.startswith(b"GET"):
            assert b"Hello, world" in read_until(raw, client, incoming, b"world")
        rss = server.rss()
        raw.settimeout(0.5)
        with pytest.raises((ConnectionResetError, BrokenPipeError, TimeoutError)):  # last: a full window, and the end
            for _ in range(64):
                raw.sendall(b"\x17\x03\x03\x40\x00" * ((1 << 20) // 5))
        wire.eventually(lambda: server.metric("connections_open") == 1)
        assert server.rss() - rss < 16 << 20


def test_a_request_with_a_farewell_behind_it_is_answered(serve, certificate):
    server = serve(certificate=certificate)
    raw, client, incoming, outgoing = by_hand(server, certificate, ssl.TLSVersion.TLSv1_3)
    with raw:
        client.write((GET % b"/hello") * 3 + b"POST /wait?ms=300 HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        say_farewell(client, outgoing, raw)
        assert read_until(raw, client, incoming, b"woke").count(b"Hello, world") == 3
        wire.eventually(lambda: server.metric("connections_open") == 1)


def test_bytes_that_only_begin_like_a_farewell_are_none(serve, certificate):
    server = serve(certificate=certificate)
    raw, client, incoming, outgoing = by_hand(server, certificate, ssl.TLSVersion.TLSv1_3)
    with raw:
        client.write(GET % b"/wait?ms=6000")
        raw.sendall(outgoing.read())
        wire.eventually(lambda: server.metric("requests_in_flight") == 2)
        raw.sendall(b"\x15\xff\xff\xff\xff\xff\xff")
        assert b"woke" in read_until(raw, client, incoming, b"woke")
    assert server.metric("requests_abandoned_total") == 0


def test_a_record_that_has_begun_may_end_while_draining(serve, certificate):
    wire.until_it_moves(lambda: a_record_ends(serve(certificate=certificate), certificate))


def a_record_ends(server, certificate):
    raw, client, incoming, outgoing = by_hand(server, certificate, ssl.TLSVersion.TLSv1_3)
    with raw, server.connect() as idle:
        assert idle.is_silent(1.3)  # longer than a connection is waited for on which nothing happens
        client.write(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        record = outgoing.read()
        with wire.not_idle():
            raw.sendall(record[:40])
            wire.eventually(lambda: wire.unconfirmed(raw) == 0)
            server.term()
            assert idle.at_end()
            raw.sendall(record[40:])
            assert b"body=abc" in read_until(raw, client, incoming, b"abc")
    assert server.process.wait(60) == 0


def test_a_client_that_does_not_read_is_cut(serve, certificate):
    server = serve(certificate=certificate, stall_ms=1000)
    with server.connect(receive=4096) as c:
        c.send(GET % b"/big?bytes=4000000")
        wire.eventually(lambda: server.metric("connections_stalled_total") == 1)


def test_a_handshake_that_has_begun_may_end_while_draining(serve, certificate):
    server = serve(certificate=certificate)
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = certificate.context().wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(server.address, 60) as s, server.connect() as idle:
        with pytest.raises(ssl.SSLWantReadError):
            client.do_handshake()
        s.sendall(outgoing.read())
        incoming.write(s.recv(65536))
        server.term()
        assert idle.at_end()
        client.do_handshake()
        client.write(GET % b"/hello")
        s.sendall(outgoing.read())
        data = b""
        while b"\r\n\r\n" not in data:
            part = s.recv(65536)
            assert part, "cut off"
            incoming.write(part)
            try:
                data += client.read(65536)
            except ssl.SSLWantReadError:
                pass
        assert data.startswith(b"HTTP/1.1 200") and b"onnection: close" in data
    assert server.process.wait(60) == 0


def broken(certificate):
    lines = certificate.pem.read_text().splitlines(True)
    return "".join(lines[:3] + ["!" + lines[3][1:]] + lines[4:])


def test_a_chain_may_have_words_and_keys_in_it(serve, folder, certificate):
    chain = Certificate(folder, "chain")
    chain.pem.write_text("the shop's own\n" + chain.pem.read_text() + "its issuer\n" + certificate.pem.read_text() +
                         chain.key.read_text() + "the end\n")
    serve(certificate=chain)


@pytest.mark.parametrize("spoil,why", [
    (lambda c, o: c.pem.unlink(), "cannot be read: No such file"),
    (lambda c, o: c.key.unlink(), "cannot be read: No such file"),
    (lambda c, o: c.pem.write_text("nothing\n"), "holds no certificate"),
    (lambda c, o: c.pem.write_text(c.pem.read_text() + o.pem.read_text() + "\n" + broken(o)), "its certificate 3 is broken"),
    (lambda c, o: c.pem.write_text(c.pem.read_text() + o.pem.read_text()[:-40]), "its certificate 2 is broken"),
    (lambda c, o: c.key.write_text("nothing\n"), "holds no private key"),
    (lambda c, o: c.key.write_bytes(o.key.read_bytes()), "is not the key of"),
    (lambda c, o: c.pem.write_bytes(b"x" * 300000), "cannot be read: File too large"),
    (lambda c, o: (c.pem.unlink(), c.pem.mkdir()), "cannot be read"),
    (lambda c, o: subprocess.run(["openssl", "ec", "-in", o.key, "-out", c.key, "-aes128", "-passout", "pass:x"],
                                 check=True, capture_output=True), "without a passphrase"),
    (lambda c, o: subprocess.run(["openssl", "req", "-x509", "-newkey", "rsa:1024", "-nodes", "-keyout", c.key, "-out",
                                  c.pem, "-subj", "/CN=x"], check=True, capture_output=True), "key too small"),
])
def test_what_cannot_be_used_is_named(serve, folder, certificate, spoil, why):
    spoilt = Certificate(folder, f"spoilt{abs(hash(why))}")
    spoil(spoilt, certificate)
    with pytest.raises(RuntimeError, match=why) as error:
        serve(certificate=spoilt)
    assert "PRIVATE KEY" not in str(error.value)


def knock_from(server, address: str) -> socket.socket:
    return socket.create_connection(server.address, 60, source_address=(address, 0))


def is_greeted(raw, context) -> bool:
    with raw, context.wrap_socket(raw, server_hostname="localhost") as s:
        s.sendall(GET % b"/hello")
        return s.recv(100).startswith(b"HTTP/1.1 200")


def hello_from(server, context, address: str) -> bool:
    """Is a new connection from there greeted?"""
    try:
        return is_greeted(knock_from(server, address), context)
    except OSError:
        return False


def test_one_address_cannot_begin_handshake_after_handshake(serve, certificate):
    server = serve(certificate=certificate, handshakes_per_address=2, loops=1)
    context, began = certificate.context(), time.monotonic()
    with handshake(server, context) as old:
        greeted = sum(hello_from(server, context, "127.0.0.8") for _ in range(60))
        assert 2 <= greeted <= 3 + 2 * (time.monotonic() - began)
        assert greeted < 60 and server.metric("tls_refused_total") == 60 - greeted
        assert hello_from(server, context, "127.0.0.9"), "another address is none of its business"
        old.sendall(GET % b"/hello")  # nor is who has been greeted
        assert old.recv(100).startswith(b"HTTP/1.1 200")
    wire.eventually(lambda: hello_from(server, context, "127.0.0.8"))


def test_an_address_has_its_handshakes_whichever_loop_takes_them(serve, certificate):
    server = serve(certificate=certificate, handshakes_per_address=8, loops=8)
    assert all(hello_from(server, certificate.context(), "127.0.0.8") for _ in range(8))
    assert server.metric("tls_refused_total") == 0


def test_a_trusted_proxy_may_greet_for_many(serve, certificate):
    server = serve(certificate=certificate, handshakes_per_address=5, loops=1, proxy="127.0.0.0/8")
    assert all(hello_from(server, certificate.context(), "127.0.0.8") for _ in range(30))
    assert server.metric("tls_refused_total") == 0


def test_past_the_handshakes_of_a_second_all_wait_and_none_is_lost(serve, certificate):
    server = serve(certificate=certificate, handshakes=20, loops=1, request_ms=60000)
    context, began = certificate.context(), time.monotonic()
    crowd = [knock_from(server, f"127.0.1.{n + 1}") for n in range(50)]  # however slow greetings are
    assert all([is_greeted(raw, context) for raw in crowd])
    assert server.metric("tls_waits_total") > 0 and server.metric("tls_refused_total") == 0
    assert time.monotonic() - began >= 1, "20 at once and 20 a second"
