"""The whole chain in the seeded shop, by clicks: from the editor's first one to money taken back.

Its steps one by one, with their ways to go wrong, are tested in tests/site, tests/oscar_integration and tests/admin.
"""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from django.contrib.auth import get_user_model
from django.core import mail
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.giving.models import Pledge
from example_site.seed import programs as seed
from tests.books import assert_audit_clean
from tests.browser_fixtures import PHONE
from tests.chain import people
from wagtail_referrals import credit
from wagtail_referrals.programs import pick_terms
from wagtail_referrals.programs.models import Program, Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Visit

Product = get_model("catalogue", "Product")


def address_of(upc: str) -> str:
    return Product.objects.get(upc=upc).get_absolute_url()


def prices(number: str) -> dict[str, Decimal]:
    """What each line of an order came to, by article number."""
    order = get_model("order", "Order").objects.get(number=number)
    return {line.upc: line.line_price_incl_tax for line in order.lines.all()}


def camille():
    return get_user_model().objects.get(email="camille@example.com")


def published() -> Program:
    """The classic program, published without a browser for the tests of later steps."""
    from wagtail_referrals.programs.presets import presets

    program = presets.get("give_percent_get_credit").build()
    program.save()
    program.save_revision().publish()
    return program


def test_from_the_first_click_to_the_refund(studio, new_page, browser_problems, later):
    first_day = timezone.localdate()
    editor = new_page()
    people.editor_signs_in(editor)
    people.editor_publishes_the_classic_program(editor)
    listing = editor.inner_text("main")
    assert "the friend gets 10% off one order" in listing
    assert Terms.objects.count() == 1

    advocate = new_page()
    people.signs_in(advocate, "camille")
    link = people.advocate_gets_the_link(advocate)
    assert re.search(r"/r/[2-9A-HJKMNP-Z]{8}/$", link)

    friend = new_page(**PHONE)
    friend.goto(link)
    assert "Camille invites you" in friend.inner_text("h1")
    assert "10% off one order" in friend.inner_text("main")
    assert Visit.objects.count() == 1
    friend.get_by_role("link", name="To the shop").click()
    people.puts_into_the_basket(friend, address_of("MAT-CORK"))
    friend.goto("/en/basket/")
    assert "€86.40" in friend.inner_text("main"), "the discount is there without typing anything"
    people.goes_to_payment_as_guest(friend, "ada.moreau@example.com")
    people.pays_by_card(friend)
    number = people.order_number(friend)

    referral = Referral.objects.get()
    assert referral.advocate.user == camille()
    manager = new_page()
    people.signs_in(manager, "manager")
    people.manager_does(manager, number, "Mark as paid", "Mark as shipped")
    referral.refresh_from_db()
    assert referral.state == "waiting_period", "the shop's click settled it at once"
    advocate.goto("/en/account/refer-a-friend/")
    assert "waiting" in advocate.inner_text("main").lower()
    assert "ada" not in advocate.inner_text("main").lower(), "names of friends are masked"
    editor.goto(f"/admin/referrals/referrals/inspect/{referral.pk}/")
    story = editor.inner_text("main")
    assert f"placed order {number}" in story
    assert "waiting period" in story

    later(13.9)
    assert credit.available(camille(), "EUR") == 0
    later(14.1)
    later(14.2)
    assert credit.available(camille(), "EUR") == Decimal("15.00")
    to_camille = [message for message in mail.outbox if message.to == ["camille@example.com"]]
    assert [message.subject for message in to_camille] == ["€15.00 for you"]
    advocate.goto("/en/account/refer-a-friend/")
    assert "€15.00" in advocate.inner_text("main")

    people.puts_into_the_basket(advocate, address_of("MAT-CORK"))
    people.goes_to_payment_as_customer(advocate)
    advocate.get_by_label("Use my €15.00").check()
    advocate.get_by_role("button", name="Use my credit").click()
    people.pays_by_card(advocate, people.DECLINED)
    advocate.get_by_text("declined this card").wait_for()
    assert credit.available(camille(), "EUR") == Decimal("15.00"), "a declined card frees the credit at once"
    people.pays_by_card(advocate)
    spent = people.order_number(advocate)
    sources = get_model("payment", "Source").objects.filter(order__number=spent)
    assert {source.source_type.code: source.amount_allocated for source in sources} == {
        "referral-credit": Decimal("15.00"),
        "card": Decimal("81.00"),
    }

    people.manager_refunds(manager, number, "43.20")
    referral.refresh_from_db()
    assert referral.state == "rewarded", "a fixed reward stays after half a refund"
    people.manager_refunds(manager, number, "43.20")
    referral.refresh_from_db()
    assert referral.state == "taken_back"
    account = credit.account_of(camille(), "EUR")
    assert (account.balance, account.shortfall) == (0, Decimal("15.00"))
    advocate.goto("/en/account/refer-a-friend/")
    assert "to recover" in advocate.inner_text("main").lower()

    editor.goto("/admin/referrals/programs/")
    editor.get_by_role("link", name="Referral summary").click()
    # Weeks have passed since the order; the year may have ended too.
    editor.goto(
        f"/admin/referrals/summary/?period=custom&first={first_day:%Y-%m-%d}&last={timezone.localdate():%Y-%m-%d}"
    )
    figures = editor.inner_text("main")
    for expected in ("€86.40", "€15.00", "€9.60"):
        assert expected in figures
    # Oscar's own page of an order calls a function that its own script does not have.
    browser_problems.allow("oscar.dashboard.orders.initTable")
    browser_problems.assert_none()


def test_a_product_for_the_friend_and_for_the_customer_and_a_donation(
    studio, new_page, browser_problems, later
):
    editor = get_user_model().objects.get(email="editor@example.com")
    program = seed.start(seed.EMPTY, editor, name="Gifts", hold_days=7)
    seed.give_rules(
        program,
        seed.rule(
            "friend",
            "arrives",
            "free_product",
            {"gift_product": Product.objects.get(upc="BLOCK-CORK")},
            minimum_spend={"EUR": "25.00"},
        ),
        seed.rule(
            "advocate",
            "nth_referral",
            "free_product",
            {"gift_product": Product.objects.get(upc="MAT-DAWN")},
            occurrence=1,
        ),
        seed.rule("advocate", "first_purchase", "sea_rescue", amounts={"EUR": "3.00"}),
    )
    seed.publish(program, editor)
    advocate = new_page()
    people.signs_in(advocate, "camille")
    link = people.advocate_gets_the_link(advocate)

    friend = new_page(**PHONE)
    friend.goto(link)
    assert "a free “Cork block” (from €25.00)" in friend.inner_text("main")
    people.puts_into_the_basket(friend, address_of("MAT-CORK"))
    friend.goto("/en/basket/")
    assert "Cork block" in friend.inner_text("main")
    people.goes_to_payment_as_guest(friend, "ada.moreau@example.com")
    people.pays_by_card(friend)
    number = people.order_number(friend)
    assert prices(number) == {"MAT-CORK": Decimal("96.00"), "BLOCK-CORK": Decimal("0.00")}

    manager = new_page()
    people.signs_in(manager, "manager")
    people.manager_does(manager, number, "Mark as paid", "Mark as shipped")
    later(7.1)
    assert Pledge.total("EUR") == Decimal("3.00")
    people.puts_into_the_basket(advocate, address_of("STRAP"))
    advocate.goto("/en/account/refer-a-friend/")
    assert "€3.00 for the sea rescue: given" in advocate.inner_text("main")
    advocate.get_by_role("link", name="Use it").click()
    advocate.get_by_role("button", name="Put it into the basket").click()
    advocate.wait_for_url("**/basket/")
    assert "a free “Aube mat, extra soft”" in advocate.inner_text("main")
    people.goes_to_payment_as_customer(advocate)
    people.pays_by_card(advocate)
    assert prices(people.order_number(advocate)) == {"STRAP": Decimal("15.00"), "MAT-DAWN": Decimal("0.00")}
    assert_audit_clean()
    browser_problems.allow("oscar.dashboard.orders.initTable")
    browser_problems.assert_none()


def test_the_editor_sees_the_sentence_and_the_page_before_anything_is_promised(
    studio, new_page, browser_problems
):
    editor = new_page()
    people.editor_signs_in(editor)
    editor.goto("/admin/referrals/programs/add/?preset=give_percent_get_credit")
    sentence = editor.locator(".referral-sentence__text").first
    assert "the friend gets 10% off one order" in sentence.inner_text()
    editor.locator("input[name$='-percent']").first.fill("20")
    editor.locator("input[name$='-percent']").first.press("Tab")
    editor.locator(".referral-sentence__text", has_text="20% off one order").wait_for()
    editor.get_by_role("button", name="Save draft").click()
    editor.wait_for_url(re.compile(r"/edit/"))
    assert not Program.objects.get().live
    assert pick_terms(site_id=None) is None, "a draft promises nothing"
    editor.get_by_role("button", name="Toggle preview").click()
    preview = editor.frame_locator("iframe[id*=preview]").first
    preview.get_by_text("20% off one order").first.wait_for()
    assert Visit.objects.count() == 0, "a preview is no visit"
    browser_problems.assert_none()


def test_the_discount_leaves_before_the_preview_when_the_guest_is_a_customer(
    studio, new_page, browser_problems
):
    published()
    advocate = new_page()
    people.signs_in(advocate, "camille")
    link = people.advocate_gets_the_link(advocate)
    first = new_page()
    people.puts_into_the_basket(first, address_of("MAT-CORK"))
    people.goes_to_payment_as_guest(first, "tom@example.com")
    people.pays_by_card(first)
    people.order_number(first)

    again = new_page()
    again.goto(link)
    people.puts_into_the_basket(again, address_of("MAT-CORK"))
    again.goto("/en/basket/")
    assert "€86.40" in again.inner_text("main")
    people.starts_checkout_as_guest(again, "Tom@example.com")
    told = again.inner_text("body")
    assert "new customers" in told
    assert "€96.00" in told, "the reason comes with the new total"
    browser_problems.assert_none()


@pytest.mark.parametrize("language", ["en", "fr"])
def test_a_code_typed_on_another_device(studio, new_page, browser_problems, language):
    published()
    advocate = new_page()
    people.signs_in(advocate, "camille")
    code = people.advocate_gets_the_link(advocate).rstrip("/").rsplit("/", 1)[1]
    friend = new_page(**PHONE, locale=f"{language}-{language.upper()}")
    people.puts_into_the_basket(friend, address_of("MAT-CORK").replace("/en/", f"/{language}/"))
    friend.goto(f"/{language}/basket/")
    friend.locator("#voucher_form_link a, #voucher_form_link button").first.click()
    friend.fill("#id_code", code.lower())
    friend.locator("#voucher_form button[type=submit]").click()
    friend.wait_for_load_state()
    friend.goto(f"/{language}/basket/")
    shown = friend.inner_text("main").replace("\u202f", " ").replace("\xa0", " ")
    assert ("86,40 €" if language == "fr" else "€86.40") in shown
    browser_problems.assert_none()
