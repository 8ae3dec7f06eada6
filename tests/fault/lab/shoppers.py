"""Shoppers who do not give up: they repeat a checkout under the same key until it is answered.
SPDX-License-Identifier: Apache-2.0"""
import http.client
import threading
import time

from support.client import Client, Guest, new_word

from .books import expect

SKU = "AEG-MUG"
PATIENCE_S = 60
PAUSE_S = 0.2  # between two tries; the server asks for 1 s, these are ruder
RIGHT_ERRORS = {  # status and code of problems that a checkout may answer while things break
    409: {"IN_FLIGHT"}, 429: None, 503: None, 504: None, 500: {"INTERNAL"},
}

CUT = (OSError, http.client.HTTPException)


class Purchase:
    """One cart, one key. prepare() while the shop is up, then start() and join()."""

    def __init__(self, lane, token: str = "tok_ok", act: str = ""):
        self.lane = lane
        self.key = new_word()  # in its e-mail address, too
        self.token = token
        self.act = act  # what the buyer does with a second step: "confirm", "cancel"
        self.status = 0  # of the final answer
        self.order: dict = {}
        self.body = b""
        self.errors: list[str] = []
        self.answers: list[int] = []
        self.final_at = 0.0
        self.thread: threading.Thread | None = None

    def prepare(self, sku: str = SKU, quantity: int = 1) -> "Purchase":
        self.guest = Guest(self.lane.shop)
        added = self.guest.add(sku, quantity)
        expect(added.status == 200, f"cart: {added.status} {added.text[:200]}")
        self.guest.client.close()
        self.request = self.guest.order(self.token, email=f"{self.key}@example.com")
        return self

    def start(self) -> "Purchase":
        self.thread = threading.Thread(target=self._run, daemon=True)
        self.thread.start()
        return self

    def join(self, timeout: float = PATIENCE_S + 10) -> None:
        self.thread.join(timeout)
        expect(not self.thread.is_alive(), f"the checkout {self.key} hangs")
        expect(not self.errors, f"checkout {self.key}: {self.errors[:1]}")
        expect(self.status != 0, f"checkout {self.key} had no answer in {PATIENCE_S} s, only {self.answers[-5:]}")

    def _run(self) -> None:
        try:
            self._buy(time.monotonic() + PATIENCE_S)
        except Exception as error:  # shown by join(): a thread has nobody else to tell
            self.errors.append(repr(error))

    def _buy(self, until: float) -> None:
        client = Client(self.lane.shop, timeout=20)
        while time.monotonic() < until:
            answer = self.lane.attempt(lambda: client.post(
                "/api/v1/checkouts", self.request, x_cart_token=self.guest.token,
                idempotency_key=self.key))
            if answer and self._is_final(client, answer):
                self.final_at = time.monotonic()
                break
            self.lane.present.wait(max(0.0, until - time.monotonic()))
            self.lane.pause(PAUSE_S)
        client.close()

    def _is_final(self, client: Client, answer) -> bool:
        self.answers.append(answer.status)
        if answer.status == 202:
            self.order = answer.json["order"]
            return self._second_step(client, answer.json["payment"]) or self._is_over(client)
        code = answer.json.get("code") if answer.status >= 400 else None
        if answer.status in RIGHT_ERRORS and RIGHT_ERRORS[answer.status] in (None, {code}):
            return False
        expect(answer.status in (201, 402, 409), f"{answer.status} {answer.text[:200]}")
        self.status, self.body = answer.status, answer.body
        self.order = answer.json.get("order", self.order)
        return True

    def _second_step(self, client: Client, payment: dict) -> bool:
        if payment["state"] != "requires_action" or not self.act:
            return False
        if self.act == "cancel":
            path = f"/api/v1/orders/{self.order['id']}/cancel"
        else:
            path = payment["next_action"]["confirm_url"]
        done = self.lane.attempt(lambda: client.post(path, {}, x_order_token=self.order["token"],
                                                     idempotency_key=f"{self.key}.{self.act}"))
        if done is None or done.status in (409, 503, 504, 500):
            return False
        expect(done.status in (200, 402), f"{self.act}: {done.status} {done.text[:200]}")
        return False

    def _is_over(self, client: Client) -> bool:
        shown = self.lane.attempt(lambda: client.get(f"/api/v1/orders/{self.order['id']}",
                                                     x_order_token=self.order["token"]))
        if shown is None or shown.status != 200:
            return False
        state = shown.json["state"]
        self.status = {"paid": 201, "cancelled": 402}.get(state, 0)
        return self.status != 0


class Crowd:
    """Shoppers who buy one thing after the other until stop(); each checkout is seen through."""

    def __init__(self, lane, count: int):
        self.lane = lane
        self.stopped = threading.Event()
        self.errors: list[str] = []
        self.purchases: list[Purchase] = []
        self.threads = [threading.Thread(target=self._run, daemon=True) for _ in range(count)]
        for thread in self.threads:
            thread.start()

    def _run(self) -> None:
        try:
            while not self.stopped.is_set():
                purchase = self._enter()
                if purchase:
                    self._buy(purchase)
        except Exception as error:  # shown by stop()
            self.errors.append(repr(error))

    def _enter(self) -> Purchase | None:
        """A cart that is ready; None when the shop went away or could not serve just now."""
        def fill():
            try:
                return Purchase(self.lane).prepare()
            except AssertionError as error:
                expect('"status":5' in str(error), str(error))
                self.lane.pause(PAUSE_S)
                return None
        return self.lane.attempt(fill)

    def _buy(self, purchase: Purchase) -> None:
        self.lane.keys.append(purchase.key)
        self.purchases.append(purchase)
        purchase.start().join()

    def stop(self) -> None:
        self.stopped.set()
        for thread in self.threads:
            thread.join(PATIENCE_S + 20)
            expect(not thread.is_alive(), "a shopper hangs")
        expect(not self.errors, f"{len(self.errors)} shoppers failed: {self.errors[:1]}")
