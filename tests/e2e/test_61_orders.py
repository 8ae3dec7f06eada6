"""Orders at their limits, and two who want the same one at once. SPDX-License-Identifier: Apache-2.0"""
from support.client import Client, Guest
from support.database import run_sql
from support.mail import wait_for_mail
from support.shop import Shop

LINES_MAX = 100


def stock_products(shop: Shop, count: int, pieces: int = 5) -> list[str]:
    """As many products of one SKU each; their SKUs."""
    skus = [f"MANY-{i:03}" for i in range(count)]
    items = ", ".join(f"('prd_many{i}', 'many-{i}', '{sku}')" for i, sku in enumerate(skus))
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_item "
                  "SELECT n.id, n.slug, c.id, 'Many', '', '', '', 'standard', '{}', '', 'active', 100, 1, 0, 0 "
                  "FROM n, (SELECT id FROM product_category LIMIT 1) c")
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_variant "
                  "SELECT sku, id, '', 100, 'EUR', 0 FROM n")
    run_sql(shop, f"WITH n(id, slug, sku) AS (VALUES {items}) INSERT INTO product_stock "
                  f"SELECT sku, id, {pieces}, 0, {pieces}, 0, 0, 0 FROM n")
    return skus


def fill(shop: Shop, guest: Guest, skus: list[str]) -> None:
    lines = ", ".join(f"('{guest.cart}', '{sku}', 1, 0)" for sku in skus)
    run_sql(shop, f"INSERT INTO order_cart_line (cart_id, sku, quantity, added_ms) VALUES {lines}")
    assert len(guest.show().json["lines"]) == len(skus)


def stock(shop: Shop) -> list[tuple]:
    return run_sql(shop, "SELECT DISTINCT available, reserved, sold FROM product_stock WHERE sku LIKE 'MANY-%'")


def test_an_order_of_a_hundred_products_is_paid_or_gives_everything_back(make_shop):
    """Every product's copies are dropped by the transaction that reserves it, and by the one that releases it."""
    shop = make_shop().start()
    skus = stock_products(shop, LINES_MAX)
    declined = Guest(shop)
    fill(shop, declined, skus)
    assert declined.check_out("tok_declined").status == 402
    assert stock(shop) == [("5", "0", "0")]
    assert run_sql(shop, "SELECT step FROM order_saga") == [("cancelled",)]
    guest = Guest(shop)
    fill(shop, guest, skus)
    paid = guest.check_out()
    assert paid.status == 201, paid.text
    assert len(paid.json["order"]["lines"]) == LINES_MAX
    wait_for_mail(shop, "ada@example.com")
    assert stock(shop) == [("4", "0", "1")]
    assert Client(shop).get("/api/v1/products/many-7").json["variants"][0]["available"] == 4
    assert shop.stop() == 0
    shop.audit()
