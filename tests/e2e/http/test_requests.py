"""What every client relies on. SPDX-License-Identifier: Apache-2.0"""
import pytest
import wire

pytestmark = pytest.mark.short


def test_a_connection_is_kept(serve):
    server = serve()
    with server.connect() as c:
        for _ in range(3):
            reply = c.get("/hello")
            assert (reply.status, reply.body) == (200, b"Hello, world")
            assert reply.header("connection") == "keep-alive"
    assert server.metric("connections_accepted_total") == 2


def test_connection_close_is_honoured(server):
    with server.connect() as c:
        reply = c.get("/livez", headers="Connection: close\r\n")
        assert reply.status == 200 and reply.header("connection") == "close"
        assert c.at_end()


def test_http_1_0_closes_and_may_ask_to_stay(server):
    with server.connect() as c:
        c.send(b"GET /livez HTTP/1.0\r\n\r\n")
        assert c.reply().status == 200
        assert c.at_end()
    with server.connect() as c:
        for _ in range(2):
            c.send(b"GET /livez HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
            assert c.reply().header("connection") == "keep-alive"


def test_pipelined_requests_are_answered_in_order(serve):
    paths = [f"/echo?{i}" if i % 3 else f"/wait?ms={i % 7}" for i in range(120)]
    with serve().connect() as c:
        c.send(b"".join(f"GET {p} HTTP/1.1\r\nHost: a\r\n\r\n".encode() for p in paths))
        for i, path in enumerate(paths):
            body = c.reply().body
            assert body == b"woke\n" if path.startswith("/wait") else f"query={i}\n" in body.decode()


def test_pipelined_posts_do_not_run_into_each_other(serve):
    with serve().connect() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nonePOST /echo HTTP/1.1\r\n"
               b"Host: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\ntw\r\n1;x=y\r\no\r\n0\r\nT: t\r\n\r\n"
               b"GET /echo HTTP/1.1\r\nHost: a\r\n\r\n")
        assert c.reply().body.endswith(b"body=one\n")
        assert c.reply().body.endswith(b"body=two\n")
        assert c.reply().body.endswith(b"body=\n")


def test_a_request_may_come_byte_by_byte(serve):
    with serve().connect() as c:
        for byte in b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc":
            c.send(bytes([byte]))
        assert c.reply().body.endswith(b"body=abc\n")


def test_head_has_the_headers_of_get_and_no_body(serve):
    with serve().connect() as c:
        head, get = c.get("/hello", method="HEAD"), c.get("/hello")
        assert head.header("content-length") == "12" and head.body == b""
        assert [n for n, _ in head.lines] == [n for n, _ in get.lines]
        missing = c.get("/none", method="HEAD")
        assert missing.status == 404 and int(missing.header("content-length")) > 0
        assert c.get("/hello").body == b"Hello, world", "the connection is in step"


@pytest.mark.parametrize("status", [204, 304])
def test_replies_without_a_body_have_no_length(serve, status):
    with serve().connect() as c:
        reply = c.get(f"/status?code={status}")
        assert reply.status == status
        assert reply.header("content-length") is None and reply.header("content-type") is None
        assert c.get("/hello").body == b"Hello, world"


def test_an_empty_body_has_length_zero(serve):
    with serve().connect() as c:
        reply = c.get("/redirect")
        assert (reply.status, reply.header("location")) == (303, "/hello")
        assert reply.header("content-length") == "0"
        assert c.get("/hello").status == 200


def test_a_large_reply_arrives_whole(serve):
    with serve().connect() as c:
        for size in (1, 65535, 1 << 20, 8 << 20):
            assert c.get(f"/big?bytes={size}").body == b"x" * size


def test_expect_100_continue(serve):
    with serve().connect() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 2\r\n\r\n")
        assert c.head()[0] == 100
        c.send(b"ok")
        assert c.reply().body.endswith(b"body=ok\n")
        assert c.get("/hello").status == 200


def test_a_body_that_is_too_large_is_not_asked_for(serve):
    with serve().connect() as c:
        c.send(b"POST /echo HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n"
               b"Content-Length: 1048577\r\n\r\n")
        assert c.head()[0] == 413


def test_paths_are_decoded_once_and_dots_removed(serve):
    server = serve()
    for path in ("/echo", "/a/../echo", "/./echo", "/%65cho", "/a/%2e%2e/echo", "/echo?x=%41"):
        first = server.get(path).body.decode().splitlines()
        assert first[0] == "GET /echo", path
    assert "query=x=%41" in first
    assert server.get("/%2565cho").status == 404


@pytest.mark.parametrize("path", ["/a%00b", "/a%0d%0ab", "/a%7f", "/%ff", "/%c0%af"])
def test_paths_that_hide_something_are_refused(server, path):
    reply = server.get(path)
    assert reply.status == 400
    assert reply.header("content-type") == "application/problem+json"


def test_methods_nobody_knows_reach_the_gate(serve):
    server = serve()
    for method in ("BREW", "get", "TRACE"):
        assert server.get("/none", method=method).status == 405


def test_the_client_is_the_peer_whatever_it_says(serve):
    headers = "X-Forwarded-For: 203.0.113.5\r\nX-Forwarded-Proto: https\r\n"
    body = serve().get("/echo", headers=headers).body.decode()
    assert "client=127.0.0.1\n" in body and "https=0\n" in body


def test_a_trusted_proxy_is_believed(serve):
    server = serve(proxy=["127.0.0.0/8", "10.0.0.0/8"])
    headers = ("X-Forwarded-For: 198.51.100.1, 203.0.113.5\r\nX-Forwarded-For: 10.0.0.7\r\n"
               "X-Forwarded-Proto: https\r\n")
    reply = server.get("/echo", headers=headers)
    assert "client=203.0.113.5\n" in reply.body.decode() and "https=1\n" in reply.body.decode()
    assert reply.header("strict-transport-security") == "max-age=31536000"
    plain = server.get("/echo")
    assert "client=127.0.0.1\n" in plain.body.decode()
    assert plain.header("strict-transport-security") is None


def test_a_handler_that_never_answers_is_a_500(serve):
    reply = serve().get("/nothing")
    assert reply.status == 500 and b'"code":"INTERNAL"' in reply.body


def test_a_connection_that_ends_at_once_disturbs_nobody(serve):
    server = serve()
    for i in range(200):
        c = server.connect()
        if i % 2:
            c.send(b"GET /hel")
        c.reset() if i % 3 else c.close()
    assert server.get("/hello").status == 200
    wire.eventually(lambda: server.metric("connections_open") == 1)
    assert server.metric("requests_unparsed_total") == 0
