"""Talking HTTP to a shop as a browser or an API client would. SPDX-License-Identifier: Apache-2.0"""
import dataclasses
import http.client
import http.cookies
import json as json_module
import urllib.parse
import uuid


@dataclasses.dataclass
class Answer:
    status: int
    headers: http.client.HTTPMessage
    body: bytes

    @property
    def json(self):
        return json_module.loads(self.body) if self.body else None

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def statements(self) -> int:
        return int(self.headers.get("x-stoa-statements", 0))


_LETTERS = str.maketrans("0123456789", "ghijklmnop")


def new_word() -> str:
    """32 letters, nobody's yet: fourteen digits in a row may be refused as a card number."""
    return uuid.uuid4().hex.translate(_LETTERS)


def new_email() -> str:
    return f"{new_word()}@example.com"


class Client:
    """One keep-alive connection and its cookies."""

    def __init__(self, shop, timeout: float = 60, tls=None):
        """tls: an ssl.SSLContext; without it the shop's, if it has one."""
        self.shop = shop
        self.tls = tls or getattr(shop, "tls", None)
        self.timeout = timeout
        self.cookies: dict[str, str] = {}
        self.connection: http.client.HTTPConnection | None = None

    def close(self) -> None:
        if self.connection:
            self.connection.close()
        self.connection = None

    def request(self, method: str, path: str, body: bytes | None = None, **headers: str) -> Answer:
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.cookies:
            sent["cookie"] = "; ".join(f"{k}={v}" for k, v in self.cookies.items())
        if self.connection is None:
            self.connection = self._connect()
        try:
            self._send(method, path, body, sent)
            reply = self.connection.getresponse()
            answer = Answer(reply.status, reply.headers, reply.read())
        except (OSError, http.client.HTTPException):
            self.close()
            raise
        if reply.will_close:
            self.close()
        self._keep_cookies(answer)
        return answer

    def _send(self, method: str, path: str, body: bytes | None, headers: dict) -> None:
        try:
            self.connection.request(method, path, body, headers)
        except (BrokenPipeError, ConnectionResetError):
            if self.connection.sock is None:  # it was never connected
                raise
            # Otherwise the answer may have come before all was sent.

    def _connect(self) -> http.client.HTTPConnection:
        if self.tls:
            return http.client.HTTPSConnection("127.0.0.1", self.shop.port, timeout=self.timeout, context=self.tls)
        return http.client.HTTPConnection("127.0.0.1", self.shop.port, timeout=self.timeout)

    def _keep_cookies(self, answer: Answer) -> None:
        for line in answer.headers.get_all("set-cookie", []):
            for name, morsel in http.cookies.SimpleCookie(line).items():
                if morsel["max-age"] == "0":
                    self.cookies.pop(name, None)
                else:
                    self.cookies[name] = morsel.value

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, None, **headers)

    def send(self, method: str, path: str, value, **headers: str) -> Answer:
        return self.request(method, path, json_module.dumps(value).encode(),
                            **{"content-type": "application/json", **headers})

    def post(self, path: str, value, **headers: str) -> Answer:
        return self.send("POST", path, value, **headers)

    def form(self, path: str, fields: dict, **headers: str) -> Answer:
        """As a browser posts a form from a page of the same shop."""
        return self.request("POST", path, urllib.parse.urlencode(fields).encode(),
                            **{"content-type": "application/x-www-form-urlencoded",
                               "sec-fetch-site": "same-origin", **headers})


ADDRESS = {"name": "Ada Lovelace", "line1": "Unter den Linden 1", "line2": "", "city": "Berlin",
           "postal_code": "10117", "region": "", "country": "DE", "phone": ""}


class Guest:
    """A guest with a cart, by the API (commerce.md, "a guest's purchase")."""

    def __init__(self, shop, timeout: float = 60):
        self.client = Client(shop, timeout)
        made = self.client.post("/api/v1/carts", {})
        assert made.status == 201, made.text
        self.cart, self.token = made.json["id"], made.json["token"]
        self.total = None

    def add(self, sku: str, quantity: int = 1) -> Answer:
        answer = self.client.post(f"/api/v1/carts/{self.cart}/lines", {"sku": sku, "quantity": quantity},
                                  x_cart_token=self.token)
        if answer.status == 200:
            self.total = answer.json["total"]
        return answer

    def show(self) -> Answer:
        answer = self.client.get(f"/api/v1/carts/{self.cart}", x_cart_token=self.token)
        self.total = answer.json["total"]
        return answer

    def order(self, payment: str = "tok_ok", **changes) -> dict:
        """The body of a checkout."""
        return {"cart_id": self.cart, "email": "ada@example.com", "shipping_address": ADDRESS,
                "shipping_option": "standard", "expected_total": self.total,
                "payment": {"provider": "sandbox", "token": payment}, **changes}

    def check_out(self, payment: str = "tok_ok", key: str | None = None, **changes) -> Answer:
        return self.client.post("/api/v1/checkouts", self.order(payment, **changes),
                                x_cart_token=self.token, idempotency_key=key or uuid.uuid4().hex)


def buy(shop, sku: str, quantity: int = 1, payment: str = "tok_ok", key: str | None = None) -> Answer:
    guest = Guest(shop)
    added = guest.add(sku, quantity)
    assert added.status == 200, added.text
    return guest.check_out(payment, key)
