"""bench/orders.py: carts are made beforehand, then wrk checks each of them out once.
SPDX-License-Identifier: Apache-2.0"""
import json
import pathlib
import shutil
import tempfile
import uuid

from measure import Load, Server, wrk

SCRIPT = """
local orders, n, at = {}, 0, 0
for line in io.lines("%s") do
  local token, key, body = line:match("^(%%S+) (%%S+) (.+)$")
  n = n + 1
  orders[n] = wrk.format("POST", "/api/v1/checkouts", {
    ["content-type"] = "application/json", ["x-cart-token"] = token, ["idempotency-key"] = key }, body)
end
local done = 0
function request()
  at = at + 1
  return orders[(at - 1) %% n + 1]
end
function response(status)
  done = done + 1
  if done >= n then wrk.thread:stop() end
end
"""


def make_carts(server, count: int, progress) -> list[str]:
    from support.client import Guest
    lines = []
    skus = ["AEG-MUG", "PER-NOTE-DOT"]
    for number in range(count):
        guest = Guest(server)
        for sku in skus[:1 + number % 2]:
            added = guest.add(sku)
            assert added.status == 200, added.text
        lines.append(f"{guest.token} {uuid.uuid4().hex} {json.dumps(guest.order())}")
        guest.client.close()
        if number % 50 == 0:
            progress(f"orders: cart {number} of {count}")
    return lines


def place_orders(server, count: int, progress) -> Load:
    folder = pathlib.Path(tempfile.mkdtemp(prefix="stoa-orders-"))
    (folder / "orders").write_text("\n".join(make_carts(server, count, progress)) + "\n")
    script = folder / "orders.lua"
    script.write_text(SCRIPT % (folder / "orders"))
    progress("orders: checking out")
    load = wrk(server.process.pid, f"http://127.0.0.1:{server.port}", 60, 16, str(script))
    shutil.rmtree(folder)
    return load


def count_statements(sql: str) -> int:
    """SQL statements of one order, all plugins and the host's own; a shop in development tells."""
    from support.client import Guest
    server = Server(sql=sql, development=True)
    guest = Guest(server)
    guest.add("AEG-MUG")
    ordered = guest.check_out()
    assert ordered.status == 201, ordered.text
    server.stop()
    return ordered.statements
