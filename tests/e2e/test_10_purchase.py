"""A guest buys, by the API. SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import uuid

import pytest
from support.client import Client, Guest, buy, new_email
from support.mail import text_of, wait_for_mail

SKU = "AEG-MUG"


@pytest.mark.short
def test_a_guest_buys_something(shop):
    guest = Guest(shop)
    assert guest.add(SKU, 2).status == 200
    answer = guest.check_out()
    assert answer.status == 201, answer.text
    order = answer.json["order"]
    assert order["state"] == "paid" and order["total"] == guest.total
    assert answer.json["payment"]["state"] == "captured"
    assert order["lines"][0]["quantity"] == 2

    by_token = guest.client.get(f"/api/v1/orders/{order['id']}", x_order_token=order["token"])
    assert by_token.status == 200 and by_token.json["number"] == order["number"]
    assert Client(shop).get(f"/api/v1/orders/{order['id']}").status in (401, 403, 404)


@pytest.mark.short
def test_the_confirmation_mail_arrives_once(shop):
    guest = Guest(shop)
    guest.add(SKU)
    email = new_email()
    order = guest.check_out(email=email).json["order"]
    mails = wait_for_mail(shop, email)
    assert len(mails) == 1 and order["number"] in text_of(mails[0])


def test_a_declined_card_releases_the_stock(shop, client):
    before = stock(client, SKU)
    answer = buy(shop, SKU, payment="tok_declined")
    assert answer.status == 402
    assert answer.headers["content-type"] == "application/problem+json"
    assert stock(client, SKU) == before


def stock(client: Client, sku: str) -> int:
    for item in client.get("/api/v1/products?limit=100").json["items"]:
        if item["sku"] == sku:
            return item["available"]
    raise AssertionError(sku)


def test_a_second_step_ends_paid(shop):
    answer = buy(shop, SKU, payment="tok_3ds")
    assert answer.status == 202
    payment = answer.json["payment"]
    assert payment["state"] == "requires_action" and payment["next_action"]["type"] == "redirect"
    order = answer.json["order"]
    client = Client(shop)
    payment_id = payment["next_action"]["url"].rpartition("payment=")[2].partition("&")[0]
    confirmed = client.post(f"/api/v1/payments/{payment_id}/confirm", {},
                            idempotency_key=uuid.uuid4().hex)
    assert confirmed.status == 200, confirmed.text
    shown = client.get(f"/api/v1/orders/{order['id']}", x_order_token=order["token"])
    assert shown.json["state"] == "paid"


def test_the_price_of_the_client_is_only_compared(shop):
    guest = Guest(shop)
    guest.add(SKU)
    answer = guest.check_out(expected_total={"amount": 1, "currency": "EUR"})
    assert answer.status == 409 and answer.json["code"] == "PRICE_CHANGED"
    assert answer.json["total"] == guest.total


def test_a_card_number_is_refused(shop):
    guest = Guest(shop)
    guest.add(SKU)
    answer = guest.check_out(payment="4242 4242 4242 4242")
    assert answer.status == 422


@pytest.mark.parametrize("change, status", [
    ({"email": "no address"}, 422),
    ({"shipping_option": "teleport"}, 422),
    ({"shipping_address": {}}, 422),
    ({"cart_id": "crt_00000000000000000000000000"}, 404),
    ({"payment": {"provider": "nobody", "token": "tok_ok"}}, 422),
])
def test_a_wrong_checkout_says_what_is_wrong(shop, change, status):
    guest = Guest(shop)
    guest.add(SKU)
    answer = guest.check_out(**change)
    assert answer.status == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_checkout_needs_a_key(shop):
    guest = Guest(shop)
    guest.add(SKU)
    answer = guest.client.post("/api/v1/checkouts", guest.order(), x_cart_token=guest.token)
    assert answer.status == 400 and "Idempotency-Key" in answer.json["detail"]


def test_fifty_equal_checkouts_make_one_order(shop):
    """R4."""
    guest = Guest(shop)
    guest.add(SKU)
    key = uuid.uuid4().hex
    body = guest.order()

    def attempt(_):
        return Client(shop).post("/api/v1/checkouts", body, x_cart_token=guest.token, idempotency_key=key)

    with concurrent.futures.ThreadPoolExecutor(50) as pool:
        answers = list(pool.map(attempt, range(50)))
    made = [a for a in answers if a.status == 201]
    assert made and {a.status for a in answers} <= {201, 409}
    assert len({a.body for a in made}) == 1
    assert attempt(0).body == made[0].body
    other = guest.client.post("/api/v1/checkouts", {**body, "email": "other@example.com"},
                              x_cart_token=guest.token, idempotency_key=key)
    assert other.status == 422 and other.json["code"] == "KEY_REUSED"


def test_budgets_of_statements(shop):
    """Product page ≤ 4, cart ≤ 5, an order ≤ 20 whatever the number of lines."""
    client = Client(shop)
    items = client.get("/api/v1/products?limit=20").json["items"]
    assert client.get(f"/api/v1/products/{items[0]['slug']}").statements <= 1
    assert client.get(f"/products/{items[0]['slug']}").statements <= 4
    counts = set()
    for lines in (1, 10):
        guest = Guest(shop)
        for item in [i for i in items if i["in_stock"]][:lines]:
            assert guest.add(item["sku"]).status == 200
        assert guest.show().statements <= 5
        ordered = guest.check_out()
        assert ordered.status == 201, ordered.text
        assert ordered.statements <= 20
        counts.add(ordered.statements)
    assert len(counts) == 1, "the number of lines must not matter"
