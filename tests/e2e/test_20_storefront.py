"""A guest buys in the themed storefront, with scripts off. SPDX-License-Identifier: Apache-2.0"""
import re

import pytest
from support.client import Client, Guest, new_email
from support.control import metric
from support.mail import text_of, wait_for_mail
from support.page import Browser

WHO = {"email": "grace@example.com", "name": "Grace Hopper", "line1": "1 Navy Yard", "postal_code": "10117",
       "city": "Berlin", "country": "DE"}


@pytest.fixture
def browser(shop):
    one = Browser(shop)
    yield one
    one.close()


def to_checkout(browser, slug="aegina-mug", quantity="1"):
    product = browser.open(f"/products/{slug}")
    assert product.answer.status == 200
    cart = browser.submit(product.form("/cart/add"), quantity=quantity)
    assert cart.answer.status == 200
    return browser.open("/checkout")


@pytest.mark.short
def test_a_whole_purchase_with_scripts_off(shop, browser):
    home = browser.open("/")
    links = [l for l in home.links if l.startswith("/products/")]
    assert len(links) >= 4
    checkout = to_checkout(browser, quantity="2")
    email = new_email()
    done = browser.submit(checkout.form("/checkout"), **{**WHO, "email": email, "action": "place"})
    assert done.answer.status == 200, done.text
    assert "Berlin<br>Germany" in done.answer.text
    number = re.search(r"\b[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}\b", done.text)
    assert number, done.text
    assert "€40.90" in done.text
    mails = wait_for_mail(shop, email)
    assert len(mails) == 1 and number.group() in text_of(mails[0])
    assert "empty" in browser.open("/cart").text


def test_the_mailbox_shows_the_mail(shop, browser):
    checkout = to_checkout(browser)
    email = new_email()
    browser.submit(checkout.form("/checkout"), **{**WHO, "email": email, "action": "place"})
    assert wait_for_mail(shop, email)
    assert email in browser.open("/mailbox").text


def test_a_wrong_field_shows_the_form_again_with_the_input(browser):
    checkout = to_checkout(browser)
    again = browser.submit(checkout.form("/checkout"), **{**WHO, "email": "nonsense", "city": "", "action": "place"})
    assert again.answer.status == 422
    form = again.form("/checkout")
    assert form.fields["email"] == "nonsense" and form.fields["name"] == WHO["name"]
    assert "#f-city" in again.links, "the error summary links to the field"


def test_a_declined_card_is_told_and_the_cart_is_kept(browser):
    checkout = to_checkout(browser)
    again = browser.submit(checkout.form("/checkout"), **{**WHO, "payment": "tok_declined", "action": "place"})
    assert again.answer.status == 402
    assert browser.open("/cart").form("/cart/change").fields["quantity"] == "1"


def test_a_declined_card_can_be_followed_by_a_good_one(browser):
    checkout = to_checkout(browser)
    again = browser.submit(checkout.form("/checkout"), **{**WHO, "payment": "tok_declined", "action": "place"})
    done = browser.submit(again.form("/checkout"), **{**WHO, "payment": "tok_ok", "action": "place"})
    assert done.answer.status == 200, done.text


def test_a_second_step_ends_at_the_order(browser):
    checkout = to_checkout(browser)
    step = browser.submit(checkout.form("/checkout"), **{**WHO, "payment": "tok_3ds", "action": "place"})
    assert step.answer.status == 200
    confirm = [f for f in step.forms if "confirm" in f.action]
    assert confirm, [f.action for f in step.forms]
    done = browser.submit(confirm[0], decision="approve")
    assert done.answer.status == 200 and re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", done.text)


def test_a_second_press_of_the_button_makes_no_second_order(browser):
    checkout = to_checkout(browser)
    form = checkout.form("/checkout")
    cookies = dict(browser.cookies)
    first = browser.submit(form, **{**WHO, "action": "place"})
    browser.cookies = cookies  # the second press was on its way before the first was answered
    second = browser.submit(form, **{**WHO, "action": "place"})
    numbers = [re.search(r"[0-9A-Z]{4}-[0-9A-Z]{4}-[0-9A-Z]{4}", p.text).group() for p in (first, second)]
    assert numbers[0] == numbers[1]


def test_the_cart_is_changed_and_emptied(browser):
    to_checkout(browser)
    changed = browser.submit(browser.open("/cart").form("/cart/change"), quantity="3")
    assert changed.form("/cart/change").fields["quantity"] == "3"
    empty = browser.submit(changed.form("/cart/remove"))
    assert "empty" in empty.text


@pytest.mark.parametrize("path, status", [
    ("/", 200), ("/categories/table", 200), ("/search?q=mug", 200), ("/search?q=zzzz", 200), ("/search", 200),
    ("/products/aegina-mug", 200), ("/cart", 200), ("/login", 200), ("/register", 200), ("/mailbox", 200),
    ("/products/none", 404), ("/categories/none", 404), ("/nothing", 404), ("/robots.txt", 200),
    ("/favicon.ico", 200)])
def test_pages_answer_without_inline_code(browser, path, status):
    page = browser.open(path)
    assert page.answer.status == status
    assert page.inline == []
    for script in page.scripts:
        assert "src" in script or script.get("type") == "application/ld+json"


def test_search_keeps_what_was_typed_as_text(browser):
    page = browser.open("/search?q=%22%3E%3Cscript%3Ealert(1)%3C/script%3E")
    assert page.answer.status == 200 and "<script>alert" not in page.answer.text


def test_assets_are_cached_for_good_and_compressed(browser):
    home = browser.open("/").answer.text
    path = re.search(r"/assets/[a-z]+\.[0-9a-f]+\.css", home).group()
    plain = browser.get(path)
    zipped = browser.get(path, **{"accept-encoding": "gzip"})
    assert plain.status == zipped.status == 200
    assert "immutable" in plain.headers["cache-control"]
    assert zipped.headers["content-encoding"] == "gzip" and len(zipped.body) < len(plain.body)
    assert len(zipped.body) <= 15 * 1024
    assert browser.get("/assets/../config.lua").status == 404
    assert browser.get("/assets/%2e%2e/%2e%2e/etc/passwd").status == 404


def test_an_address_can_be_typed_as_long_as_one_may_be(browser):
    pages = [browser.open("/login"), browser.open("/register"), to_checkout(browser)]
    inputs = [re.search(r'<input [^>]*name="email"[^>]*>', page.answer.text)[0] for page in pages]
    assert all('maxlength="254"' in field for field in inputs), inputs


def test_an_account_is_made_and_used(browser):
    email = new_email()
    form = browser.open("/register").form("/register")
    made = browser.submit(form, email=email, password="correct horse battery", name="Grace Hopper")
    assert made.answer.status == 200, made.text
    browser.cookies.clear()
    wrong = browser.submit(browser.open("/login").form("/login"), email=email, password="not the password")
    assert wrong.answer.status in (401, 422)
    right = browser.submit(browser.open("/login").form("/login"), email=email, password="correct horse battery")
    assert right.answer.status == 200


def test_no_visitor_can_fill_the_cache_with_cursors(make_shop):
    shop = make_shop().start()
    client = Client(shop)
    url = "/categories/" + re.search(r'href="/categories/([\w-]+)"', client.get("/").text)[1]
    assert client.get(url).status == 200
    before = metric(shop, "cache_bytes")
    assert before > 0
    for n in range(20):
        assert client.get(f"{url}?cursor=prd_{n:026d}").status == 200
    assert metric(shop, "cache_bytes") == before
    assert client.get(f"{url}?sort=name").status == 200  # another first page is kept
    assert metric(shop, "cache_bytes") > before


def test_a_shop_at_a_bare_ipv6_address_sends_mail(make_shop):
    shop = make_shop()
    text = shop.config.read_text()
    shop.config.write_text(text.replace("http://127.0.0.1:8080", "http://[::1]:8080"))
    shop.start()
    guest = Guest(shop)
    guest.add("AEG-MUG")
    assert guest.check_out(email="ada@example.com").status == 201
    mail, = wait_for_mail(shop, "ada@example.com")
    assert re.fullmatch(r"<ord_\w+\.paid@--1>", mail["message-id"])
