"""Every route of the running shop × everybody who may come along. The routes are asked of the shop
itself, so one that is added without a word here fails. Then what customers and staff do with theirs.
SPDX-License-Identifier: Apache-2.0"""
import json
import re
import time
import uuid

import pytest
from support.client import ADDRESS, Client, Guest, new_email
from support.database import run_sql
from support.shop import Shop

SKU = "AEG-MUG"
PASSWORD = "correct horse battery"
OWNER = {"email": "owner@example.com", "password": PASSWORD}
ACTORS = ("guest", "A", "B", "staff")  # what there is belongs to A
OPEN = ("anyone", "token")  # anybody may ask; of a thing, who has it


class World:
    """A shop where customer A has a cart, an order and a payment."""

    def __init__(self, shop: Shop):
        self.shop = shop
        self.routes = json.loads(shop.cli("check", "--routes", "--json").stdout)
        self.headers = {"guest": {}, "A": sign_up(shop), "B": sign_up(shop), "staff": sign_in(shop, OWNER)}

    def ask(self, actor: str, method: str, path: str, body=None):
        client = Client(self.shop)
        headers = dict(self.headers[actor])
        if method != "GET":
            headers["idempotency-key"] = uuid.uuid4().hex
        if method == "GET":
            answer = client.get(path, **headers)
        else:
            answer = client.send(method, path, {} if body is None else body, **headers)
        client.close()
        return answer

    def must(self, actor: str, method: str, path: str, body=None):
        answer = self.ask(actor, method, path, body)
        assert answer.status < 300, f"{actor} {method} {path}: {answer.status} {answer.text}"
        return answer.json

    def cart(self, actor: str = "A") -> dict:
        cart = self.must(actor, "POST", "/api/v1/carts", {})["id"]
        return self.must(actor, "POST", f"/api/v1/carts/{cart}/lines", {"sku": SKU, "quantity": 1})

    def checkout(self, cart: dict, payment: str = "tok_ok") -> dict:
        return {"cart_id": cart["id"], "email": "ada@example.com", "shipping_address": ADDRESS,
                "shipping_option": "standard", "expected_total": cart["total"],
                "payment": {"provider": "sandbox", "token": payment}}

    def order(self, actor: str = "A", payment: str = "tok_ok") -> dict:
        return self.must(actor, "POST", "/api/v1/checkouts", self.checkout(self.cart(actor), payment))["order"]


def sign_in(shop: Shop, who: dict) -> dict:
    answer = Client(shop).post("/api/v1/sessions", {"email": who["email"], "password": who["password"]})
    assert answer.status == 201, answer.text
    return {"authorization": f"Bearer {answer.json['session']}"}


def sign_up(shop: Shop) -> dict:
    who = {"email": new_email(), "password": PASSWORD, "name": "Ada"}
    assert Client(shop).post("/api/v1/users", who).status == 201
    return sign_in(shop, who)


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    shop = Shop(tmp_path_factory.mktemp("permissions"))
    shop.config.write_text(shop.config.read_text().replace("user = {}",
                                                           f'user = {{ owner_password = "{PASSWORD}" }}'))
    shop.prepare().start()
    yield World(shop)
    assert shop.stop() == 0


# ---- The matrix ----

def cart_path(world, rest=""):
    return f"/api/v1/carts/{world.cart()['id']}{rest}", None


# What stands for {…}: a path of A's, fresh each time, and a body that is right where it matters. None:
# no things of anybody's, any value does.
EXAMPLES = {
    ("GET", "/api/v1/carts/{id}"): cart_path,
    ("PATCH", "/api/v1/carts/{id}"): lambda w: (cart_path(w)[0], {"attributes": {"a": 1}}),
    ("POST", "/api/v1/carts/{id}/lines"): lambda w: (cart_path(w, "/lines")[0], {"sku": SKU, "quantity": 1}),
    ("PATCH", "/api/v1/carts/{id}/lines/{sku}"): lambda w: (cart_path(w, f"/lines/{SKU}")[0], {"quantity": 2}),
    ("DELETE", "/api/v1/carts/{id}/lines/{sku}"): lambda w: cart_path(w, f"/lines/{SKU}"),
    ("POST", "/api/v1/checkouts"): lambda w: ("/api/v1/checkouts", w.checkout(w.cart())),
    ("GET", "/api/v1/orders/{id}"): lambda w: (f"/api/v1/orders/{w.order()['id']}", None),
    ("POST", "/api/v1/orders/{id}/cancel"): lambda w: (f"/api/v1/orders/{w.order(payment='tok_3ds')['id']}/cancel",
                                                       None),
    ("POST", "/api/v1/deliveries/{id}/retry"): None,
    ("POST", "/api/v1/payments/{id}/confirm"): None,
    ("GET", "/api/v1/products/{id}"): None,
    ("PATCH", "/api/v1/products/{id}"): None,
    ("DELETE", "/api/v1/products/{id}"): None,
    ("GET", "/api/v1/inventory/{sku}"): None,
    ("PUT", "/api/v1/inventory/{sku}"): None,
}
# Things of A's that staff may see and change as well: orders, not carts.
STAFF_TOO = {("GET", "/api/v1/orders/{id}"), ("POST", "/api/v1/orders/{id}/cancel")}
ENDS_A_SESSION = ("DELETE", "/api/v1/sessions/current")
LOGIN = ("POST", "/api/v1/sessions")  # an empty one is answered 401 by the route itself


def expected(route: dict, actor: str) -> set[int]:
    """Statuses that mean that actor was turned away; empty: must not be."""
    name = route["method"], route["path"]
    if route["permit"] == "internal":
        return {404}
    if route["permit"] == "staff":
        return {"guest": {401}, "A": {403}, "B": {403}, "staff": set()}[actor]
    if route["permit"] == "customer":
        return {401} if actor == "guest" else set()
    if route["permit"] == "token":
        return set() if actor == "A" or actor == "staff" and name in STAFF_TOO else {404}
    return set()


def routes_of(world) -> list[dict]:
    assert len(world.routes) > 50
    return [r for r in world.routes if r["plugin"] != "storefront" and not r["development"]]


def test_everybody_is_let_in_or_turned_away_as_declared(world):
    wrong = []
    for route in routes_of(world):
        name = route["method"], route["path"]
        example = EXAMPLES.get(name)
        assert "{" not in route["path"] or name in EXAMPLES, f"say in EXAMPLES what stands in {name}"
        assert route["permit"] != "token" or example, f"{name} is about somebody's thing: whose?"
        for actor in ACTORS:
            if name == ENDS_A_SESSION and actor != "guest":
                continue  # see test_a_session_that_was_ended_is_worth_nothing
            path, body = example(world) if example else (re.sub(r"{[^}]*}", "none", route["path"]), None)
            status = world.ask(actor, route["method"], path, body).status
            away = expected(route, actor)
            let_in = status not in (401, 403) and not (example and status >= 300) or name == LOGIN
            if status >= 500 or (status not in away if away else not let_in):
                wrong.append((actor, *name, status, away))
    assert wrong == []


def test_no_route_of_the_api_is_open_without_being_on_this_list(world):
    """A new one has to be thought about."""
    is_open = {(r["method"], r["path"]) for r in routes_of(world) if r["permit"] == "anyone"}
    assert is_open == {
        ("POST", "/api/v1/carts"), ("GET", "/api/v1/products"), ("GET", "/api/v1/products/{id}"),
        ("GET", "/api/v1/categories"), ("POST", "/api/v1/shipping/quotes"), ("POST", "/api/v1/users"),
        ("POST", "/api/v1/sessions"), ("POST", "/api/v1/payments/{id}/confirm")}


def test_a_session_that_was_ended_is_worth_nothing(world):
    headers = sign_up(world.shop)
    client = Client(world.shop)
    assert client.get("/api/v1/users/me", **headers).status == 200
    assert client.request("DELETE", "/api/v1/sessions/current", **headers).status == 204
    assert client.get("/api/v1/users/me", **headers).status == 401


def test_fields_that_are_not_the_clients_are_not_taken(world):
    """Mass assignment: who registers, orders or fills a cart says nothing about roles, prices, owners."""
    who = {"email": new_email(), "password": PASSWORD, "name": "Eve", "role": "owner",
           "permissions": "orders:read", "who": "staff", "id": "usr_1"}
    made = Client(world.shop).post("/api/v1/users", who)
    assert made.status == 201 and made.json["id"] != "usr_1"
    assert Client(world.shop).get("/api/v1/deliveries", **sign_in(world.shop, who)).status == 403
    cart = world.must("B", "POST", "/api/v1/carts", {"customer_id": "usr_1", "total": 1, "id": "crt_1"})
    path = f"/api/v1/carts/{cart['id']}/lines"
    line = world.must("B", "POST", path, {"sku": SKU, "quantity": 1, "unit_price": {"amount": 1, "currency": "EUR"}})
    price = Client(world.shop).get("/api/v1/products/aegina-mug").json["price"]
    assert line["lines"][0]["unit_price"] == price
    body = {**world.checkout(line), "state": "paid", "customer_id": "usr_1", "total": {"amount": 1, "currency": "EUR"}}
    order = world.must("B", "POST", "/api/v1/checkouts", body)["order"]
    assert order["total"] == line["total"]
    assert world.ask("B", "GET", f"/api/v1/orders/{order['id']}").status == 200


def test_one_permission_of_the_staff_is_not_another(world):
    """A clerk may read orders, and nothing else that is not a customer's."""
    who = {"email": new_email(), "password": PASSWORD, "name": "Clerk"}
    made = Client(world.shop).post("/api/v1/users", who)
    run_sql(world.shop, "INSERT INTO user_role (name, permissions) VALUES ('clerk', 'orders:read')")
    run_sql(world.shop, f"INSERT INTO user_account_role (user_id, role) VALUES ('{made.json['id']}', 'clerk')")
    world.headers["clerk"] = sign_in(world.shop, who)
    order = world.order("A", "tok_3ds")
    assert world.ask("clerk", "GET", f"/api/v1/orders/{order['id']}").status == 200
    assert world.ask("clerk", "POST", f"/api/v1/orders/{order['id']}/cancel").status == 404
    for route in routes_of(world):
        if route["permit"] == "staff":
            path = re.sub(r"{[^}]*}", "none", route["path"])
            assert world.ask("clerk", route["method"], path).status == 403, route


def test_the_page_of_an_order_is_for_who_has_it(world):
    guest = Guest(world.shop)
    guest.add(SKU)
    order = guest.check_out().json["order"]
    path = f"/orders/{order['number']}"
    assert Client(world.shop).get(f"{path}?token={order['token']}").status == 200
    for headers in ({}, world.headers["B"]):
        away = Client(world.shop).get(path, **headers)
        assert away.status in (303, 404) and "Lovelace" not in away.text


# ---- Customers ----

def test_a_customer_lists_the_own_orders_and_nobody_elses(world):
    mine = [world.order("B")["id"] for _ in range(3)]
    others = world.order("A")["id"]
    first = world.must("B", "GET", "/api/v1/orders?limit=2")
    rest = world.must("B", "GET", f"/api/v1/orders?limit=100&cursor={first['next_cursor']}")
    listed = [o["id"] for o in first["items"] + rest["items"]]
    assert listed[:3] == mine[::-1] and others not in listed and rest["next_cursor"] is None
    everything = [o["id"] for o in world.must("staff", "GET", "/api/v1/orders?limit=100")["items"]]
    assert {others, *mine} <= set(everything)


@pytest.mark.parametrize("query, status", [("limit=0", 422), ("limit=101", 422), ("limit=x", 422),
                                           ("limit=1&cursor='; DROP TABLE order_order; --", 200)])
def test_a_list_has_limits(world, query, status):
    query = query.replace(" ", "%20")
    assert world.ask("B", "GET", f"/api/v1/orders?{query}").status == status
    assert world.ask("staff", "GET", f"/api/v1/deliveries?{query}").status == status


def test_an_order_that_is_not_paid_is_cancelled_and_the_stock_comes_back(world):
    before = world.must("staff", "GET", f"/api/v1/inventory/{SKU}")
    order = world.order("A", "tok_3ds")
    held = world.must("staff", "GET", f"/api/v1/inventory/{SKU}")
    assert held["available"] == before["available"] - 1
    for _ in range(2):  # repeating it changes nothing
        gone = world.must("A", "POST", f"/api/v1/orders/{order['id']}/cancel")
        assert gone["state"] == "cancelled" and gone["reason"] == "asked"
    assert world.must("staff", "GET", f"/api/v1/inventory/{SKU}") == before


def test_a_paid_order_is_not_cancelled(world):
    order = world.order("A")
    for actor in ("A", "staff"):
        answer = world.ask(actor, "POST", f"/api/v1/orders/{order['id']}/cancel")
        assert answer.status == 409
    assert world.must("A", "GET", f"/api/v1/orders/{order['id']}")["state"] == "paid"


def test_a_payment_that_comes_after_the_cancellation_charges_nothing(world):
    cart = world.cart("A")
    answer = world.must("A", "POST", "/api/v1/checkouts", world.checkout(cart, "tok_3ds"))
    confirm = answer["payment"]["next_action"]["confirm_url"]
    world.must("A", "POST", f"/api/v1/orders/{answer['order']['id']}/cancel")
    assert world.ask("guest", "POST", confirm, {}).status == 402
    assert world.must("A", "GET", f"/api/v1/orders/{answer['order']['id']}")["state"] == "cancelled"


def test_the_token_of_one_order_opens_no_other(world):
    guest, other = Guest(world.shop), Guest(world.shop)
    orders = []
    for one in (guest, other):
        one.add(SKU)
        orders.append(one.check_out().json["order"])
    path = f"/api/v1/orders/{orders[0]['id']}"
    assert guest.client.get(path, x_order_token=orders[0]["token"]).status == 200
    assert guest.client.get(path, x_order_token=orders[1]["token"]).status == 404
    assert guest.client.get(f"/api/v1/orders/{orders[0]['number']}", x_order_token=orders[0]["token"]).status == 200
    assert guest.client.post(f"{path}/cancel", {}, x_order_token=orders[1]["token"]).status == 404


def test_no_token_is_in_the_log(world):
    guest = Guest(world.shop)
    guest.add(SKU)
    order = guest.check_out().json["order"]
    assert guest.client.get(f"/api/v1/orders/{order['id']}?token={order['token']}").status == 200
    assert guest.client.get(f"/orders/{order['number']}?token={order['token']}").status == 200
    world.shop.wait_log(lambda line: order["number"] in str(line))
    log = json.dumps(world.shop.lines)
    assert order["token"] not in log and guest.token not in log
    assert all(h["authorization"][7:] not in log for h in world.headers.values() if h)


# ---- Staff ----

def test_staff_count_the_stock(world):
    sku = "KEA-MUG" if world.ask("staff", "GET", "/api/v1/inventory/KEA-MUG").status == 200 else SKU
    path = f"/api/v1/inventory/{sku}"
    before = world.must("staff", "GET", path)
    now = world.must("staff", "PUT", path, {"available": before["available"] + 5})
    assert now["available"] == before["available"] + 5 and now["received"] == before["received"] + 5
    for wrong in (-1, 10**10, "5", 1.5, None):
        assert world.ask("staff", "PUT", path, {"available": wrong}).status == 422
    assert world.must("staff", "GET", path) == now
    assert world.ask("staff", "PUT", "/api/v1/inventory/NO-SUCH", {"available": 1}).status == 404


def edit(world, product: str, version, change: dict):
    headers = dict(world.headers["staff"])
    if version is not None:
        headers["if-match"] = f'"{version}"'
    return Client(world.shop).send("PATCH", f"/api/v1/products/{product}", change, **headers)


def test_staff_make_change_and_archive_a_product(world):
    slug, sku = f"lamp-{uuid.uuid4().hex[:8]}", f"LAMP-{uuid.uuid4().hex[:8]}"
    category = Client(world.shop).get("/api/v1/categories").json["items"][0]["slug"]
    body = {"slug": slug, "name": "Lamp", "category": category,
            "variants": [{"sku": sku, "price": {"amount": 4900, "currency": "EUR"}, "stock": 3}]}
    made = world.must("staff", "POST", "/api/v1/products", body)
    assert world.ask("staff", "POST", "/api/v1/products", body).status == 409  # slug and SKU are taken
    shown = Client(world.shop).get(f"/api/v1/products/{slug}").json
    assert shown["version"] == 1 and shown["price"]["amount"] == 4900 and shown["available"] == 3

    assert edit(world, made["id"], None, {"name": "Big lamp"}).status == 409
    changed = edit(world, made["id"], 1, {"name": "Big lamp", "variants": [
        {"sku": sku, "price": {"amount": 5900, "currency": "EUR"}}]})
    assert changed.status == 200 and changed.json["version"] == 2
    lost = edit(world, made["id"], 1, {"name": "Small lamp"})
    assert lost.status == 409, "somebody else's change must not be overwritten"
    shown = Client(world.shop).get(f"/api/v1/products/{slug}").json
    assert shown["name"] == "Big lamp" and shown["price"]["amount"] == 5900, "not the cached copy"

    assert world.ask("staff", "DELETE", f"/api/v1/products/{made['id']}").status == 204
    assert Client(world.shop).get(f"/api/v1/products/{slug}").status == 404
    assert world.ask("staff", "DELETE", f"/api/v1/products/{made['id']}").status == 404


@pytest.mark.parametrize("change", [
    {"name": ""}, {"name": "x" * 201}, {"slug": "Not A Slug"}, {"state": "archived"}, {"category": "nowhere"},
    {"variants": [{"sku": SKU, "price": {"amount": -1, "currency": "EUR"}}]},
    {"variants": [{"sku": SKU, "price": {"amount": 100, "currency": "USD"}}]},
    {"variants": [{"sku": "NO-SUCH", "price": {"amount": 100, "currency": "EUR"}}]}])
def test_a_wrong_change_of_a_product_changes_nothing(world, change):
    before = Client(world.shop).get("/api/v1/products/aegina-mug").json
    assert edit(world, before["id"], before["version"], change).status == 422
    assert Client(world.shop).get("/api/v1/products/aegina-mug").json == before


def test_staff_see_the_mails_and_a_sent_one_is_not_sent_again(world):
    order = world.order("A")
    items, until = [], time.monotonic() + 60
    while not items and time.monotonic() < until:  # the mail is there before its row
        items = [d for d in world.must("staff", "GET", "/api/v1/deliveries?limit=100")["items"]
                 if d["aggregate"] == order["id"]]
    assert [d["state"] for d in items] == ["sent"] and "payload" not in items[0]
    again = world.must("staff", "POST", f"/api/v1/deliveries/{items[0]['id']}/retry")
    assert again["state"] == "sent"
    now = [d for d in world.must("staff", "GET", "/api/v1/deliveries?limit=100")["items"]
           if d["id"] == items[0]["id"]]
    assert now == items, "not even counted as a try"


# ---- When nobody can say who somebody is ----

def test_the_shop_goes_on_while_nobody_can_be_told_who_they_are(make_shop):
    """R12, R14: pages and files are for guests, too. What needs somebody is refused, and nobody loses
    a cart or a session by it."""
    shop = make_shop().start()
    owner, client = sign_up(shop), Client(shop)
    style = re.search(r"/assets/[a-z]+\.[0-9a-f]+\.css", client.get("/").text).group()
    run_sql(shop, "ALTER TABLE user_session RENAME TO user_session_away")
    page = client.get("/products/aegina-mug", **owner)
    assert page.status == 200 and page.headers["cache-control"] == "no-store", page.text
    assert client.get("/api/v1/products/aegina-mug", **owner).status == 200
    file = client.get(style, **owner)
    assert file.status == 200 and "immutable" in file.headers["cache-control"]
    for path in ("/account", "/api/v1/users/me", "/api/v1/orders", "/api/v1/carts/crt_none"):
        answer = client.get(path, **owner)
        assert answer.status == 503 and answer.json["code"] == "PLUGIN", path
        assert answer.headers["set-cookie"] is None and answer.headers["location"] is None
    assert client.post("/api/v1/carts", {}, **owner).status == 503
    assert Guest(shop).add("AEG-MUG").status == 200
    run_sql(shop, "ALTER TABLE user_session_away RENAME TO user_session")
    assert client.get("/api/v1/users/me", **owner).status == 200
    assert shop.stop() == 0
