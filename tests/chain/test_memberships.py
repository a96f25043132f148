"""A member brings a friend, by clicks: a free class, a membership, and a renewal that the credit pays first."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

from django.contrib.auth import get_user_model
from django.core import mail
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.card.models import DemoCharge
from example_site.seed import programs as seed
from oscar_integration.memberships.models import Membership, Period, Renewal
from tests.books import assert_audit_clean
from tests.browser_fixtures import PHONE
from tests.chain import people
from wagtail_referrals import credit

D = Decimal
FRIEND = "ada.moreau@example.com"


def membership(email: str, plan: str) -> Membership:
    return Membership.objects.get(user__email=email, plan__slug=plan)


def words(page) -> str:
    """What is read on the page, with plain spaces."""
    return " ".join(page.inner_text("main").split()).replace("\u202f", " ")


def mails_to(email: str) -> dict[str, str]:
    return {each.subject: " ".join(each.body.split()) for each in mail.outbox if each.to == [email]}


def test_a_friend_comes_once_becomes_a_member_and_pays_a_part_of_the_next_renewal(
    studio, new_page, browser_problems, later
):
    begun = timezone.now()
    monthly = get_model("catalogue", "Product").objects.get(upc="MEMBER-MONTH").get_absolute_url()
    seed.bring_a_friend(get_user_model().objects.get(email="editor@example.com"), None)

    advocate = new_page()
    people.signs_in(advocate, "salome")
    number = people.buys_a_membership(advocate, monthly)
    assert get_model("order", "Order").objects.get(number=number).status == "Paid"
    advocate.goto("/en/memberships/")
    assert "€75.00, charged to your card •••• 4242" in words(advocate)
    # Who is in an audience is believed for some minutes.
    later(1)
    link = people.advocate_gets_the_link(advocate, "Salomé")

    later(20)
    friend = new_page(**PHONE)
    friend.goto(link)
    assert "Salomé invites you" in friend.inner_text("h1")
    assert "a free “Friend's pass”" in words(friend)
    people.registers(friend, FRIEND)
    later(20.01)
    friend.goto("/en/memberships/")
    assert "Friend's pass" in words(friend)
    code = re.search(r"\b[2-9A-HJKMNP-Z]{4}[ -]?[2-9A-HJKMNP-Z]{4}\b", words(friend))
    assert code is not None, words(friend)
    friend.goto("/en/timetable/")
    assert "Friend's pass: 1 class left" in words(friend)
    friend.goto("/en/practice-at-home/")
    assert "This page is for members" in words(friend), "a pass opens no members' page"

    editor = new_page()
    people.editor_signs_in(editor)
    assert "Friend's pass" in people.staff_check_in(editor, code.group())
    assert membership(FRIEND, "friends-pass").uses_left == 0
    assert "Friend's pass" in people.staff_check_in(editor, code.group())
    assert membership(FRIEND, "friends-pass").uses_made.count() == 1, "once is once"

    people.buys_a_membership(friend, monthly)
    assert Period.objects.get(membership=membership(FRIEND, "monthly")).kind == Period.Kind.NEW
    friend.goto("/en/practice-at-home/")
    assert "This month" in words(friend)
    friend.goto("/en/memberships/")
    assert "€75.00, charged to your card •••• 4242" in words(friend)

    salome = get_user_model().objects.get(email="salome@example.com")
    assert credit.available(salome, "EUR") == D("15.00")
    advocate.goto("/en/account/refer-a-friend/")
    assert "€15.00 of it pays your renewal" in words(advocate)
    advocate.goto("/en/memberships/")
    coming = "€15.00 is paid with your referral credit, €60.00 is charged to your card •••• 4242."
    assert coming in words(advocate)

    advocate.goto("/fr/memberships/")
    in_french = words(advocate)
    assert "15,00 €" in in_french
    assert "60,00 €" in in_french
    assert "referral credit" not in in_french

    due = membership("salome@example.com", "monthly").ends_at
    days = (due - begun) / timedelta(days=1)
    later(days - 6.9)
    announced = mails_to("salome@example.com")
    subject = next(each for each in announced if "renews on" in each)
    assert coming in announced[subject]
    # Charged once it has been known for a week.
    later(days + 0.2)
    renewal = Renewal.objects.get(membership__user=salome, state="done")
    assert (renewal.total, renewal.credit, renewal.charge) == (D("75.00"), D("15.00"), D("60.00"))
    order = get_model("order", "Order").objects.get(number=renewal.order_number)
    assert (order.status, order.total_incl_tax, order.total_excl_tax) == ("Paid", D("75.00"), D("62.50"))
    assert {each.source_type.code: each.amount_allocated for each in order.sources.all()} == {
        "referral-credit": D("15.00"),
        "card": D("60.00"),
    }
    assert DemoCharge.objects.get(order_number=order.number).amount == D("60.00")
    paid = "€15.00 was paid with your referral credit, €60.00 was charged to your card •••• 4242."
    assert paid in mails_to("salome@example.com")["“Monthly membership” was renewed"]
    assert credit.available(salome, "EUR") == 0
    advocate.goto("/en/memberships/")
    assert "€75.00, charged to your card •••• 4242" in words(advocate), "the next one is the card's again"
    advocate.goto(f"/en/accounts/orders/{order.number}/")
    assert "€15.00" in words(advocate)

    assert_audit_clean()
    # The pages for members answer with 403 where one is not.
    browser_problems.allow("members-only")
    browser_problems.assert_none()
