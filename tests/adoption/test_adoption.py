"""The old shop follows the guide, and a friend's order earns its reward."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from tests.adoption.adopted import OldShop, old_shop
from tests.adoption.guide import GUIDE, read_orders
from tests.adoption.visitor import Visitor

pytestmark = pytest.mark.packaging

OFFICE, CUSTOMER, PASSWORD = "office@shop.example", "nadia.favre@bluemail.example", "knit-two-purl-two"
GUEST = "lea.monnier@post.example"
ADDRESS = {
    "first_name": "Léa",
    "last_name": "Monnier",
    "line1": "Rue du Simplon 3",
    "line4": "Vevey",
    "postcode": "1800",
    "country": "CH",
}
CARD = {"number": "4242424242424242", "expiry_month_0": "05", "expiry_month_1": "2035", "ccv": "123"}


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OldShop]:
    sizes = ["--customers 60", "--orders 160", "--vouchers 20"]
    with old_shop(tmp_path_factory.mktemp("adoption"), *sizes) as found:
        yield found


@pytest.fixture(scope="module")
def adopted(shop: OldShop) -> OldShop:
    """The shop after its owner followed the guide."""
    before = snapshot(shop)
    shop.times.clear()
    shop.printed = "\n".join([shop.obey(order) for order in read_orders(GUIDE.read_text())])
    changed = {name for name, text in snapshot(shop).items() if before.get(name) != text}
    assert changed == {"settings.py", "urls.py"}
    print(
        "\nThe commands of the guide:",
        *(f"{s:5.1f} s  {c}" for c, s in shop.times.items()),
        sep="\n",
        flush=True,
    )
    return shop


def snapshot(shop: OldShop) -> dict[str, bytes]:
    files = (path for path in shop.folder.rglob("*") if path.is_file())
    return {str(path.relative_to(shop.folder)): path.read_bytes() for path in files}


def test_the_shop_starts_without_the_package(shop):
    """Else this file would prove nothing."""
    (shop.folder.parent / "probe.py").write_text(
        "from importlib.util import find_spec\nassert not find_spec('wagtail'), 'Wagtail is here'\n"
        "assert not find_spec('wagtail_referrals') and not find_spec('oscar_integration'), 'we are here'\n"
    )
    if not shop.printed:
        shop.shell("cd .. && python -I probe.py")


def test_the_checks_have_nothing_to_say_and_no_migration_is_missing(adopted):
    said = adopted.manage("check --database default")
    assert "no issues (0 silenced)" in said and "no issues (0 silenced)" in adopted.printed
    said = adopted.manage("makemigrations --check --dry-run")
    assert "No changes detected" in said


def test_from_the_draft_to_the_first_reward(adopted):
    with adopted.served() as address:
        assert not account_tab(log_in(address, CUSTOMER)), "nothing is shown until a program is published"
        editor_publishes(address)
        link = customer_gets_a_link(address)
        frenchman_reads(link)
        pages_are_there(address)
        number = guest_orders(address, link)
        assert friends_of_customer(address) == 1, "the order is attributed"
        office_sends(address, number)
        # Past the waiting period of any ready-made program.
        adopted.manage(f"referrals_sweep --now {timezone.localdate() + timedelta(days=60)}")
        customer = log_in(address, CUSTOMER)
        account_tab(customer)
        balance = customer.page.select_one(".referrals-balance")
        assert balance is not None and "CHF" in balance.text, customer.text
        assert CUSTOMER not in customer.text and GUEST not in customer.text
        editor_reads_everything(address, number)
    assert "It works." in adopted.manage("referrals_doctor")


def log_in(address: str, email: str) -> Visitor:
    visitor = Visitor(address)
    visitor.get("/en/accounts/login/")
    visitor.send("#login_form", "login_submit", **{"login-username": email, "login-password": PASSWORD})
    return visitor


def account_tab(customer: Visitor) -> bool:
    """Go from the account to "Refer a friend", where it leads there."""
    customer.get("/en/accounts/profile/")
    if not customer.page.select('a[href="/en/account/refer-a-friend/"]'):
        return False
    customer.follow("Refer a friend")
    return True


def editor_publishes(address: str) -> None:
    editor = editor_at(address)
    editor.get("/cms/referrals/programs/")
    drafts = editor.page.select("td.referral-title a[href*='/edit/']")
    if drafts:
        editor.get(str(drafts[0]["href"]))
    else:
        editor.get("/cms/referrals/programs/add/")
        editor.follow("Give")
    editor.send("form[data-edit-form]", "action-publish")
    assert "published" in editor.text, editor.text


def editor_at(address: str) -> Visitor:
    editor = Visitor(address)
    editor.get("/cms/")
    editor.send("form[action*=login]", username=OFFICE, password=PASSWORD)
    return editor


def customer_gets_a_link(address: str) -> str:
    customer = log_in(address, CUSTOMER)
    assert account_tab(customer)
    assert in_the_shop(customer)
    assert len(customer.page.select("h1")) == 1
    assert customer.page.select('link[href*="wagtail_referrals/referrals.css"]')
    customer.send(".referrals-panel form")
    field = customer.page.select_one("input.referrals-link")
    assert field is not None, customer.text
    link = str(field["value"])
    assert link.startswith(f"{address}/r/"), link
    return link


def in_the_shop(visitor: Visitor) -> bool:
    """Whether the page stands in the shop's own base template."""
    return bool(visitor.page.select_one("nav.shelves") and visitor.page.select_one("footer.foot"))


def frenchman_reads(link: str) -> None:
    friend = Visitor(link, "fr")
    friend.get(link)
    assert "Nadia vous invite" in friend.text and in_the_shop(friend)
    assert (friend.page.html or {}).get("lang") == "fr"


def pages_are_there(address: str) -> None:
    """The public pages about the program, in the shop's own template."""
    for language, path, words in (
        ("en", "/en/refer-a-friend/", "Your friend gets"),
        ("fr", "/fr/parrainer-un-proche/", "Pour votre proche"),
    ):
        reader = Visitor(address, language)
        reader.get(path)
        assert words in reader.text and in_the_shop(reader) and len(reader.page.select("h1")) == 1
        reader.get(str(_first(reader, ".referrals-hub a.referrals-button")["href"]))
        assert f"/{language}/accounts/login/" in reader.url, (
            "who is not logged in comes to the shop's own login"
        )


def guest_orders(address: str, link: str) -> str:
    """The number of the order that somebody placed who came by the link."""
    friend = Visitor(address)
    friend.get(link)
    assert "Nadia invites you" in friend.text and in_the_shop(friend)
    assert len(friend.page.select("h1")) == 1
    friend.get(str(_first(friend, ".referrals-landing a.referrals-button")["href"]))
    friend.get(str(_first(friend, "article.product_pod a[href]")["href"]))
    friend.send("form.add-to-basket, form#add_to_basket_form")
    friend.get("/en/basket/")
    assert "10% off" in friend.text, friend.text
    friend.get("/en/checkout/")
    friend.send("main form[method=post]", username=GUEST, options="anonymous")
    friend.send("main form[method=post]", **ADDRESS)
    while "/payment-details/" not in friend.url:
        before = friend.url
        friend.send("main form[method=post]")
        assert friend.url != before, friend.text
    friend.send("form#card_form", **CARD)
    friend.send("form#place_order_form")
    assert "/thank-you/" in friend.url, friend.text
    number = re.search(r"\bW\d{6}\b", friend.text)
    assert number, friend.text
    return number[0]


def _first(visitor: Visitor, selector: str) -> Any:
    found = visitor.page.select_one(selector)
    assert found is not None, f"no {selector} on {visitor.url}: {visitor.text}"
    return found


def friends_of_customer(address: str) -> int:
    customer = log_in(address, CUSTOMER)
    account_tab(customer)
    return len(customer.page.select("[aria-labelledby=friends] .referrals-rows > li"))


def office_sends(address: str, number: str) -> None:
    office = log_in(address, OFFICE)
    for status in ("Being packed", "Sent"):
        office.get(f"/en/dashboard/orders/{number}/")
        office.send("#order_status_form", new_status=status)
        assert f"to '{status}'" in office.text, office.text


def editor_reads_everything(address: str, number: str) -> None:
    """Every list of ours, and what each leads to: the keys of this shop's customers are no numbers."""
    rooms = (
        "programs",
        "audiences",
        "referrals",
        "rewards",
        "referrers",
        "credit",
        "movements",
        "badges",
        "terms",
    )
    ahead = [f"/cms/referrals/{room}/" for room in (*rooms, "summary")]
    ahead += [
        "/cms/",
        "/cms/pages/",
        "/cms/users/",
        "/cms/sites/",
        "/cms/locales/",
        "/cms/reports/site-history/",
    ]
    editor, seen = editor_at(address), set(ahead)
    while ahead:
        page = ahead.pop(0)
        editor.get(page)
        for link in editor.page.select('a[href^="/cms/referrals/"]'):
            path = str(link["href"]).partition("?")[0].partition("#")[0]
            # One of each kind: the numbers and keys in the address make no kind of their own.
            kind = re.sub(r"[0-9a-f]{8}-[0-9a-f-]{27}|\d+", "1", path)
            if kind not in seen:
                seen.add(kind)
                ahead.append(path)
        if "/referrals/referrals/inspect/" in page:
            assert number in editor.text, "the referral's page names the order"
    print(f"An editor read {len(seen)} pages: {' '.join(sorted(seen))}", flush=True)
    for room in ("referrals", "referrers", "credit"):
        assert any(re.fullmatch(f"/cms/referrals/{room}/.*1/", page) for page in seen), (
            f"no page of one of {room}"
        )
