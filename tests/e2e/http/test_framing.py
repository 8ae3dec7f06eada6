"""R23, R24, R26: what could be read in two ways, and what is too much.
SPDX-License-Identifier: Apache-2.0"""
import socket

import pytest
import wire

pytestmark = pytest.mark.short

HOST = b"Host: shop.example\r\n"
POST = b"POST /echo HTTP/1.1\r\n" + HOST

# What libh2o alone would take; the column "with guard" of the measurements. All end the connection.
SMUGGLING = {
    "length, then coding": POST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "coding, then length": POST + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n0\r\n\r\n",
    "two lengths": POST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": POST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "two codings": POST + b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "a folded length": POST + b"X: a\r\n Content-Length: 3\r\n\r\nabc",
    "coding on HTTP/1.0": b"POST /echo HTTP/1.0\r\n" + HOST +
                          b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET /echo HTTP/1.1\nHost: a\n\n",
    "one bare line feed": b"GET /echo HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
    "no host": b"GET /echo HTTP/1.1\r\n\r\n",
    "two hosts": b"GET /echo HTTP/1.1\r\n" + HOST + b"Host: other\r\n\r\n",
    "absolute form": b"GET http://other/echo HTTP/1.1\r\n" + HOST + b"\r\n",
    "the asterisk": b"OPTIONS * HTTP/1.1\r\n" + HOST + b"\r\n",
    "length +3": POST + b"Content-Length: +3\r\n\r\nabc",
    "length -1": POST + b"Content-Length: -1\r\n\r\n",
    "length 0x3": POST + b"Content-Length: 0x3\r\n\r\nabc",
    "length 3, 3": POST + b"Content-Length: 3, 3\r\n\r\nabc",
    "empty length": POST + b"Content-Length:\r\n\r\n",
    "twenty digits": POST + b"Content-Length: 10000000000000000000\r\n\r\n",
    "coding gzip, chunked": POST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "coding xchunked": POST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "space before the colon": POST + b"Content-Length : 3\r\n\r\nabc",
    "NUL in a value": POST + b"X: a\0b\r\n\r\n",
    "CR in a value": POST + b"X: a\rb\r\n\r\n",
    "VT in a value": POST + b"X: a\x0bb\r\n\r\n",
    "chunk size overflow": POST + b"Transfer-Encoding: chunked\r\n\r\nfffffffffffffffff\r\n",
    "chunk size garbage": POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n0\r\n\r\n",
    "chunk size negative": POST + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n",
    "two spaces": b"GET  /echo HTTP/1.1\r\n" + HOST + b"\r\n",
    "a tab for a space": b"GET\t/echo HTTP/1.1\r\n" + HOST + b"\r\n",
    "HTTP/2.0": b"GET /echo HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/9": b"GET /echo HTTP/9\r\n" + HOST + b"\r\n",
    "no version": b"GET /echo\r\n" + HOST + b"\r\n",
    "a raw byte in the target": b"GET /\xc3\xa9 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a fragment": b"GET /a#b HTTP/1.1\r\n" + HOST + b"\r\n",
    "CONNECT": b"CONNECT other:443 HTTP/1.1\r\n" + HOST + b"\r\n",
    "a broken host": b"GET /echo HTTP/1.1\r\nHost: a/b\r\n\r\n",
    "an empty host": b"GET /echo HTTP/1.1\r\nHost:\r\n\r\n",
    "no name": POST + b": a\r\n\r\n",
    "no colon": POST + b"X\r\n\r\n",
    "TLS": bytes.fromhex("160301020001000001fc0303") + b"\0" * 32,
}
TAKEN = {
    "an empty line first": (b"\r\nGET /echo HTTP/1.1\r\n" + HOST + b"\r\n", b""),
    "lower-case chunked": (POST + b"transfer-encoding: Chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n", b"abc"),
    "chunk extensions": (POST + b"Transfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\n0\r\n\r\n", b"abc"),
    "GET with a body": (b"GET /echo HTTP/1.1\r\n" + HOST + b"Content-Length: 3\r\n\r\nabc", b"abc"),
    "HTTP/1.2": (b"GET /echo HTTP/1.2\r\n" + HOST + b"\r\n", b""),
    "leading zeros": (POST + b"Content-Length: 003\r\n\r\nabc", b"abc"),
}


@pytest.mark.parametrize("case", SMUGGLING)
def test_refused_and_closed(server, case):
    with server.connect() as c:
        c.send(SMUGGLING[case] + b"GET /smuggled HTTP/1.1\r\n" + HOST + b"\r\n")
        reply = c.reply()
        assert reply.status in (400, 413), case
        assert reply.header("connection") == "close"
        assert c.at_end(), "what follows is not read as a request"


@pytest.mark.parametrize("case", TAKEN)
def test_taken(serve, case):
    raw, body = TAKEN[case]
    with serve().connect() as c:
        c.send(raw + b"GET /hello HTTP/1.1\r\n" + HOST + b"\r\n")
        assert c.reply().body.endswith(b"body=" + body + b"\n")
        assert c.reply().body == b"Hello, world"


# ---- R24: too much ----

def rss_grows(server, work, most=20 << 20):
    before, cpu = server.rss(), server.cpu()
    work()
    assert server.rss() - before < most
    assert server.cpu() - cpu <= 1


def test_a_body_of_exactly_the_limit_is_taken(serve):
    server = serve()
    with server.connect() as c:
        assert c.get("/echo", method="POST", body=b"x" * (1 << 20)).body.count(b"x") >= 1 << 20


def expect_413(server, start, piece=b"", times=0):
    """server: of one loop, which has also said that it is done before it answers somebody else."""
    with server.connect() as c:
        c.send(start)
        try:
            for _ in range(times):
                c.send(piece)
        except (BrokenPipeError, ConnectionResetError):
            pass
        reply = c.reply()
        assert reply.status == 413 and reply.header("connection") == "close"
        assert reply.header("content-type") == "application/problem+json"
        assert b'"code":"TOO_LARGE"' in reply.body
        assert server.get("/hello").status == 200
        assert c.ends_cleanly()


def test_one_byte_more_is_413_and_the_answer_arrives(serve):
    server = serve()
    start = POST + b"Content-Length: 1048577\r\n\r\n"
    rss_grows(server, lambda: expect_413(server, start, b"x" * 65536, 16))


def test_a_declared_gigabyte_is_413_at_once(serve):
    server = serve()
    rss_grows(server, lambda: expect_413(server, POST + b"Content-Length: 1073741824\r\n\r\n"))


def test_endless_chunks_are_413(serve):
    server = serve()
    start = POST + b"Transfer-Encoding: chunked\r\n\r\n"
    rss_grows(server, lambda: expect_413(server, start, b"4000\r\n" + b"x" * 16384 + b"\r\n", 100))


def test_a_target_one_byte_too_long_is_414(server):
    assert server.get("/" + "a" * 8191).status in (200, 404)
    with server.connect() as c:
        reply = c.get("/" + "a" * 8192)
        assert reply.status == 414 and reply.header("connection") == "close"
        assert c.at_end()


def test_a_head_of_more_than_32_kib_is_431(server):
    with server.connect() as c:
        reply = c.get("/livez", headers="".join(f"X-{i}: {'y' * 4000}\r\n" for i in range(9)))
        assert reply.status == 431 and reply.header("connection") == "close"


def test_a_head_of_450_kib_is_refused(server):
    with server.connect() as c:
        try:
            c.send(b"GET /livez HTTP/1.1\r\n" + HOST + b"X: " + b"y" * 450000)
        except (BrokenPipeError, ConnectionResetError):
            pass
        try:
            assert c.reply().status == 400
        except wire.Closed:
            pass


def test_101_headers_are_refused(server):
    assert server.get("/livez", headers="X: y\r\n" * 99).status == 200
    assert server.get("/livez", headers="X: y\r\n" * 100).status in (400, 431)


def test_fewer_headers_than_libh2o_takes_are_431(serve):
    server = serve(headers_max=10)
    assert server.get("/livez", headers="X: y\r\n" * 9).status == 200
    assert server.get("/livez", headers="X: y\r\n" * 10).status == 431


# ---- R26: HTTP/2 ----

def test_the_preface_of_http_2_is_refused(server):
    with server.connect() as c:
        c.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0")
        assert c.reply().status == 400
        assert c.at_end()


def test_an_upgrade_to_http_2_is_ignored(server):
    with server.connect() as c:
        reply = c.get("/livez", headers="Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
                                        "HTTP2-Settings: AAMAAABkAAQAAP__\r\n")
        assert reply.status == 200 and reply.header("upgrade") is None


def test_what_cannot_be_parsed_is_counted(serve):
    server = serve()
    for raw in (b"\x16\x03\x01 TLS?\r\n\r\n", b"GET\0 / HTTP/1.1\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\n"):
        with server.connect() as c:
            c.send(raw)
            assert c.reply().status == 400
    wire.eventually(lambda: server.metric("requests_unparsed_total") == 3)
    assert server.metric("requests_refused_total") == 0


def test_a_half_closed_client_still_gets_its_answer(server):
    with server.connect() as c:
        c.send(b"GET /livez HTTP/1.1\r\n" + HOST + b"Connection: close\r\n\r\n")
        c.sock.shutdown(socket.SHUT_WR)
        assert c.reply().status == 200
