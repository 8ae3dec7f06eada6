"""bench/orders.py: loads that wrk plays from a script: orders out of carts that are made beforehand, and
a mixture of everything.
SPDX-License-Identifier: Apache-2.0"""
import concurrent.futures
import contextlib
import json
import shutil
import sqlite3
import uuid

from measure import Load, Server, new_folder, noise, progress, run, wrk

# {setup} fills list[1..n] with requests; they are sent in turn, {count} in all.
SCRIPT = """
local list, n, at, done = {{}}, 0, 0, 0
local function add(...) n = n + 1; list[n] = wrk.format(...) end
function init()
{setup}
end
function request()
  at = at + 1
  return list[(at - 1) % n + 1]
end
function response()
  done = done + 1
  if done == {count} then
    wrk.thread:stop()
    io.popen("kill -INT $PPID") -- otherwise wrk sleeps out its time, and divides by it
  end
end
"""
ORDERS = """
  for line in io.lines("%s") do
    local token, key, body = line:match("^(%%S+) (%%S+) (.+)$")
    add("POST", "/api/v1/checkouts", { ["content-type"] = "application/json",
        ["x-cart-token"] = token, ["idempotency-key"] = key }, body)
  end
"""
MIXTURE = """
  for _ = 1, 4 do for _, path in ipairs { "/hello", "/", "/search?q=mug", "/products/aegina-mug", "/cart", "/api/v1/categories",
                          "/api/v1/products?limit=20", "/api/v1/products/aegina-mug" } do
    add("GET", path)
  end end
  add("POST", "/api/v1/carts", { ["content-type"] = "application/json" }, "{}")
"""


SKUS = ["AEG-MUG", "AGO-LAMP", "PER-NOTE-DOT", "PER-NOTE-RULE", "ENA-CUP", "CED-PENCIL", "OLI-BOARD",
        "KYT-BOWL"]


def fill_stock(server: Server, url: str | None) -> None:
    """As much as any number of orders may take."""
    sql = "UPDATE product_stock SET initial = initial + 1000000, available = available + 1000000"
    if url:
        run("psql", "-q", url, "-c", sql)
        return
    with contextlib.closing(sqlite3.connect(server.sqlite_file(), timeout=10)) as db:
        db.execute(sql)
        db.commit()


def play(server: Server, setup: str, count: int, connections: int, seconds: int) -> tuple[Load, float]:
    folder = new_folder("load")
    script = folder / "load.lua"
    script.write_text(SCRIPT.format(setup=setup, count=count))
    result = wrk(server.process.pid, f"http://127.0.0.1:{server.port}", seconds, connections, script)
    shutil.rmtree(folder)
    return result


def make_cart(server: Server, number: int) -> str:
    from support.client import Guest
    guest = Guest(server)
    for sku in [SKUS[number % len(SKUS)], SKUS[(number + 1) % len(SKUS)]][:1 + number % 2]:
        added = guest.add(sku)
        assert added.status == 200, added.text
    guest.client.close()
    return f"{guest.token} {uuid.uuid4().hex} {json.dumps(guest.order())}"


def make_carts(server: Server, count: int) -> list[str]:
    """Of one line or two. Sixteen visitors at once, who share the waiting for the disk."""
    lines = []
    with concurrent.futures.ThreadPoolExecutor(16) as visitors:
        for line in visitors.map(lambda number: make_cart(server, number), range(count)):
            lines.append(line)
            if len(lines) % 50 == 0:
                progress(f"orders: cart {len(lines)} of {count}")
    return lines


def place_orders(server: Server, count: int) -> Load:
    """Each cart is checked out once; the last few connections may repeat the first orders."""
    folder = new_folder("orders")

    def measure():
        (folder / "orders").write_text("\n".join(make_carts(server, count)) + "\n")
        progress("orders: checking out")
        return play(server, ORDERS % (folder / "orders"), count, 16, 120)

    load = noise.quiet(measure)
    shutil.rmtree(folder)
    return load


def play_mixture(server: Server, count: int) -> Load:
    return play(server, MIXTURE, count, 64, 300)[0]


def count_statements(sql: str, lines: int) -> int:
    """SQL statements of one order, all plugins and the host's own; a shop in development tells."""
    from support.client import Guest
    server = Server(sql=sql, development=True)
    guest = Guest(server)
    for sku in SKUS[:lines]:
        added = guest.add(sku)
        assert added.status == 200, added.text
    ordered = guest.check_out()
    assert ordered.status == 201, ordered.text
    guest.client.close()
    server.stop()
    return ordered.statements
