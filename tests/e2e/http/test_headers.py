"""R38, R41: headers on every reply, and nobody else's. SPDX-License-Identifier: Apache-2.0"""
import pytest
import wire

pytestmark = pytest.mark.short

STATUSES = [200, 201, 202, 204, 303, 304, 400, 401, 402, 403, 404, 405, 409, 413, 415, 422, 429, 431,
            500, 502, 503]


def expect_fixed(reply):
    for name, value in wire.FIXED.items():
        assert reply.header(name) == value, name
    assert reply.header("date") and reply.header("server") is None


@pytest.mark.parametrize("status", STATUSES)
def test_every_status_has_them(serve, status):
    reply = serve().get(f"/status?code={status}")
    assert reply.status == status
    expect_fixed(reply)


def test_what_libh2o_or_the_guard_answers_has_them(server):
    raws = {
        400: b"GET / HTTP/1.1\r\n\r\n",
        413: b"POST /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n",
        414: b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
        417: b"POST /livez HTTP/1.1\r\nHost: a\r\nExpect: 200-maybe\r\nContent-Length: 3\r\n\r\n",
    }
    for status, raw in raws.items():
        with server.connect() as c:
            c.send(raw)
            reply = c.reply()
            assert reply.status == status
            assert reply.header("content-type") == "application/problem+json"
            assert f'"status":{status}'.encode() in reply.body
            expect_fixed(reply)


def test_a_broken_chunk_is_answered_in_full_dress(server):
    with server.connect() as c:
        c.send(b"POST /livez HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")
        reply = c.reply()
        assert reply.status == 400 and b'"code":"BAD_REQUEST"' in reply.body
        expect_fixed(reply)


def test_a_head_request_refused_by_libh2o_has_no_body(server):
    with server.connect() as c:
        c.send(b"HEAD /livez HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n")
        assert c.reply(is_head=True).status == 413
        assert c.at_end()


def test_the_form_action_can_be_widened(serve):
    reply = serve(form_action="https://pay.example").get("/hello")
    assert reply.header("content-security-policy").endswith(
        "form-action 'self' https://pay.example")


@pytest.mark.parametrize("escape", ["%0d", "%0a", "%00", "%7f", "%1f"])
def test_no_header_can_be_split(serve, escape):
    reply = serve().get(f"/split?{escape}")
    assert reply.status == 500
    assert reply.header("set-cookie") is None and reply.header("x-echo") is None
    expect_fixed(reply)


def test_no_handler_decides_where_its_reply_ends(serve):
    with serve().connect() as c:
        assert c.get("/framing").status == 500
        assert c.get("/hello").body == b"Hello, world"


def test_cookies_keep_a_line_each(serve):
    assert serve().get("/cookies").all("set-cookie") == ["a=1; HttpOnly", "b=2; HttpOnly"]
