"""What every route owes: headers, same origin, permission, limits. SPDX-License-Identifier: Apache-2.0"""
import json
import uuid

import pytest
from support.client import Client, Guest
from support.control import metric
from support.database import run_sql

HEADERS = ["content-security-policy", "x-content-type-options", "referrer-policy",
           "cross-origin-opener-policy", "cross-origin-resource-policy", "permissions-policy"]


def check_headers(answer):
    for name in HEADERS:
        assert answer.headers[name], name
    assert answer.headers["server"] is None
    assert len(answer.headers.get_all("content-security-policy")) == 1


@pytest.mark.parametrize("method, path, body, status", ids=lambda v: str(v)[:30], argvalues=[
    ("GET", "/", None, 200), ("GET", "/livez", None, 200), ("GET", "/products/none", None, 404),
    ("GET", "/api/v1/none", None, 404), ("DELETE", "/api/v1/products", None, 405),
    ("POST", "/api/v1/carts", b"{", 400), ("POST", "/api/v1/carts", b"{}" + b" " * 2000000, 413),
    ("GET", "/api/v1/users/me", None, 401), ("PUT", "/api/v1/inventory/AEG-MUG", b"{}", 401),
    ("TRACE", "/", None, 405), ("GET", "/?" + "x" * 9000, None, 414)])
def test_security_headers_are_on_every_answer(client, method, path, body, status):
    """R41. h2o's own bare 400 is the one exception (tests/e2e/http)."""
    answer = client.request(method, path, body, **{"content-type": "application/json"})
    assert answer.status == status, answer.text
    check_headers(answer)
    if status >= 400 and path != "/products/none":
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json["status"] == status


def test_internal_routes_cannot_be_reached(client):
    for path in ("/internal/product/reserve", "/internal/payment/open", "/internal/order/advance",
                 "/internal/user/identify", "/internal/shipping/rates"):
        answer = client.post(path, {})
        assert answer.status == 404, path


@pytest.mark.parametrize("headers, allowed", [
    ({"sec-fetch-site": "same-origin"}, True),
    ({"sec-fetch-site": "cross-site"}, False), ({"sec-fetch-site": "same-site"}, False),
    ({"sec-fetch-site": "none"}, False), ({"origin": "null"}, False),
    ({"origin": "https://evil.example"}, False), ({"origin": "http://127.0.0.1.evil.example"}, False),
    ({}, False)])
def test_forms_from_elsewhere_are_refused(client, headers, allowed):
    """R34: form posts need this origin, with or without a cookie."""
    answer = client.request("POST", "/cart/add", b"sku=AEG-MUG&quantity=1",
                            **{"content-type": "application/x-www-form-urlencoded", **headers})
    assert (answer.status != 403) == allowed, answer.status


def test_origin_of_this_host_is_enough(client):
    answer = client.request("POST", "/cart/add", b"sku=AEG-MUG&quantity=1",
                            **{"content-type": "application/x-www-form-urlencoded",
                               "origin": f"http://127.0.0.1:{client.shop.port}"})
    assert answer.status == 303


def test_a_json_post_with_a_cookie_needs_this_origin(shop):
    client = Client(shop)
    client.cookies["anything"] = "x"
    assert client.post("/api/v1/carts", {}).status == 403
    assert client.post("/api/v1/carts", {}, **{"sec-fetch-site": "same-origin"}).status == 201


def test_another_guests_cart_is_not_there(shop):
    mine, yours = Guest(shop), Guest(shop)
    assert yours.client.get(f"/api/v1/carts/{mine.cart}", x_cart_token=yours.token).status == 404
    assert yours.client.get(f"/api/v1/carts/{mine.cart}").status in (401, 404)
    added = yours.client.post(f"/api/v1/carts/{mine.cart}/lines", {"sku": "AEG-MUG", "quantity": 1},
                              x_cart_token=yours.token)
    assert added.status == 404


@pytest.mark.parametrize("name, value", [("email", "a@b.example\r\nBcc: x@y.example"),
                                         ("shipping_option", "standard\r\nSet-Cookie: a=b")])
def test_control_characters_reach_no_header(shop, name, value):
    """R38."""
    guest = Guest(shop)
    guest.add("AEG-MUG")
    answer = guest.check_out(**{name: value})
    assert answer.status == 422
    assert answer.headers["set-cookie"] is None


def test_redirects_do_not_carry_line_breaks(client):
    answer = client.form("/cart/add", {"sku": "AEG-MUG", "quantity": "1", "return_to": "/x\r\nset-cookie: a=b"})
    assert answer.status in (303, 422)
    assert "a=b" not in str(answer.headers)


@pytest.mark.parametrize("body, status", ids=lambda v: str(v)[:30], argvalues=[
    (b"", 201), (b"nonsense", 400), (b'{"a":1,"a":2}', 400), (b"[" * 1000 + b"]" * 1000, 400),
    (json.dumps({str(i): i for i in range(30000)}).encode(), 413), (b'{"a":"\xff"}', 400), (b'{"a":1}x', 400)])
def test_bodies_that_are_no_json(client, body, status):
    """R24."""
    answer = client.request("POST", "/api/v1/carts", body, **{"content-type": "application/json"})
    assert answer.status == status, answer.text


@pytest.mark.parametrize("content_type", ["text/xml", "application/x-www-form-urlencoded", "multipart/form-data"])
def test_other_kinds_of_content_are_refused(client, content_type):
    answer = client.request("POST", "/api/v1/carts", b"<a/>", **{"content-type": content_type,
                                                                 "sec-fetch-site": "same-origin"})
    assert answer.status == 415


def test_a_compressed_body_is_refused(client):
    answer = client.request("POST", "/api/v1/carts", b"\x1f\x8b", **{"content-type": "application/json",
                                                                     "content-encoding": "gzip"})
    assert answer.status == 415


def test_an_idempotency_key_is_checked(shop):
    guest = Guest(shop)
    guest.add("AEG-MUG")
    assert guest.check_out(key="x" * 256).status == 422
    assert guest.check_out(key="two words").status == 422


def test_every_post_may_be_repeated(shop):
    client = Client(shop)
    key = uuid.uuid4().hex
    first = client.post("/api/v1/carts", {}, idempotency_key=key)
    again = client.post("/api/v1/carts", {}, idempotency_key=key)
    assert first.status == again.status == 201 and first.body == again.body
    assert again.headers["idempotency-replayed"] == "true"


def test_a_rate_limit_is_told(make_shop):
    shop = make_shop(rate="requests = 1, burst = 10").start()
    client = Client(shop)
    answers = [client.get("/api/v1/categories") for _ in range(60)]
    refused = [a for a in answers if a.status == 429]
    assert refused and int(refused[0].headers["retry-after"]) >= 1
    check_headers(refused[0])
    assert shop.stop() == 0


def test_a_rate_is_of_a_visitor_not_of_each_of_their_addresses(make_shop):
    """R39. An IPv6 visitor has 2^64 addresses."""
    shop = make_shop(rate="requests = 1, burst = 10", more='trusted_proxies = { "127.0.0.0/8" },').start()
    client = Client(shop)

    def refused(address) -> int:
        return sum(client.get("/api/v1/categories", x_forwarded_for=address(n)).status == 429
                   for n in range(60))

    assert refused(lambda n: f"2001:db8:0:{n + 1:x}::1") == 0
    assert refused(lambda n: f"203.0.113.{n}") == 0
    assert refused(lambda n: f"2001:db8:0:1:{n:x}::{n:x}") > 0
    assert shop.stop() == 0


def test_a_refusals_line_in_the_log_has_no_query(make_shop):
    """Tokens that open orders stand there."""
    shop = make_shop().start()
    client = Client(shop)
    for path, status, headers in [("/orders/S-1?token=s3cret", 404, {}),
                                  ("/orders/S-1?token=s3cret", 400, {"content_length": "x"}),
                                  ("/orders/S-1?token=s3cret" + "x" * 9000, 414, {})]:
        assert client.get(path, **headers).status == status
        shop.wait_log(lambda l, s=status: l.get("status") == s and l.get("path") == "/orders/S-1")
    assert shop.stop() == 0
    assert not any("s3cret" in json.dumps(line) for line in shop.lines)


def test_every_5xx_is_counted_once(make_shop):
    shop = make_shop().start()
    before, client = metric(shop, "responses_5xx_total"), Client(shop)
    run_sql(shop, "ALTER TABLE user_session RENAME TO user_session_away")
    for _ in range(20):
        assert client.get("/api/v1/users/me", authorization="Bearer nobody").status == 503
    shop.wait_log(lambda l: sum(l.get("status") == 503 for l in shop.lines) == 20)
    assert metric(shop, "responses_5xx_total") - before == 20
    assert shop.stop() == 0


def test_head_has_the_headers_of_get_and_no_body(client):
    get, head = client.get("/api/v1/categories"), client.request("HEAD", "/api/v1/categories")
    assert head.status == 200 and head.body == b""
    assert head.headers["content-length"] == get.headers["content-length"]
