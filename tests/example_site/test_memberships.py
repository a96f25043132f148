"""The members of the example shop: what `seed_history` has made of them, by living through three months."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.test import Client
from django.utils import timezone
from oscar.core.loading import get_model

from example_site.backoffice import orders
from example_site.card import gateway, kept
from example_site.card.models import DemoCharge
from example_site.seed.members import months_before
from example_site.seed.plans import MEMBERS
from oscar_integration.memberships.models import Membership, Period, Renewal
from oscar_integration.memberships.renewals import forecast
from tests.example_site.story import LONGEST, NOW
from tests.example_site.test_history import user
from wagtail_referrals import credit, people, rewards
from wagtail_referrals.messages.models import Message
from wagtail_referrals.rewards.models import Reward

# In one process of several: each would live the three months again.
pytestmark = pytest.mark.xdist_group("history")

D = Decimal
Order = get_model("order", "Order")


def membership(name: str, plan: str) -> Membership:
    return Membership.objects.get(user=user(name), plan__slug=plan)


def renewals(name: str, plan: str) -> list[tuple[str, Decimal | None, Decimal | None]]:
    rows = membership(name, plan).renewals.order_by("number")
    return list(rows.values_list("state", "credit", "charge"))


def test_every_state_and_end_of_a_membership_can_be_seen(lived: str) -> None:
    seen = Counter(Membership.objects.values_list("state", "ended_reason"))
    assert set(seen) == {
        ("active", ""),
        ("past_due", ""),
        ("waiting", ""),
        ("ended", "ran_out"),
        ("ended", "used_up"),
        ("ended", "not_paid"),
        ("ended", "refunded"),
    }
    assert set(Period.objects.values_list("origin", "kind")) == {
        ("order", "new"),
        ("renewal", "renewal"),
        ("reward", "new"),
        ("reward", "extension"),
    }
    assert set(Renewal.objects.values_list("state", flat=True)) == {
        "planned",
        "past_due",
        "done",
        "given_up",
        "called_off",
    }


def test_members_renew_each_month_with_card_and_credit(lived: str) -> None:
    assert renewals("salome", "monthly") == [
        ("done", D("0.00"), D("75.00")),
        ("done", D("15.00"), D("60.00")),
        ("planned", None, None),
    ]
    assert renewals("tangi", "home") == [
        ("done", D("15.00"), D("0.00")),
        ("done", D("0.00"), D("15.00")),
        ("planned", None, None),
    ]
    for renewal in Renewal.objects.filter(state="done"):
        order = Order.objects.get(number=renewal.order_number)
        assert order.total_incl_tax == renewal.total
        assert order.status == "Paid"
        paid = {each.source_type.code: each.amount_debited for each in order.sources.all()}
        assert sum(paid.values()) == renewal.total
        assert paid.get("referral-credit", D(0)) == renewal.credit
        charge = DemoCharge.objects.filter(order_number=order.number).first()
        assert (charge.amount if charge else D(0)) == renewal.charge


def test_the_next_renewal_is_announced_and_paid_by_the_credit_in_half_an_hour(lived: str) -> None:
    salome = membership("salome", "monthly")
    due = salome.ends_at
    assert due is not None
    assert timedelta(minutes=30) <= due - NOW < timedelta(minutes=40)
    coming = forecast(salome, timezone.now())
    assert coming is not None
    assert (coming.credit, coming.charge, coming.card) == (D("15.00"), D("60.00"), "•••• 4242")
    told = Message.objects.filter(kind="membership_renews", user=user("salome"), state="sent")
    assert told.order_by("-pk")[0].data["credit"] == "15.00"
    with time_machine.travel(due + timedelta(minutes=5)):
        rewards.sweep()
        assert renewals("salome", "monthly")[-2] == ("done", D("15.00"), D("60.00"))
        assert membership("salome", "monthly").ends_at > due + timedelta(days=27)
    assert credit.available(user("salome"), "EUR") == 0


def test_a_declined_card_is_tried_again_and_charged_once_another_one_is_kept(
    lived: str, client: Client
) -> None:
    paol = membership("paol", "monthly")
    assert paol.state == "past_due"
    assert paol.is_open(timezone.now()), "in the time of grace"
    client.force_login(user("paol"))
    fields = {"card-number": gateway.ACCEPTED, "card-expiry": "04 / 32", "card-code": "123"}
    page = client.post("/en/account/card/", fields, follow=True).content.decode()
    assert "What is due is charged to it" in page
    rewards.sweep()
    paol.refresh_from_db()
    assert paol.state == "active"
    assert renewals("paol", "monthly")[0] == ("done", D("0.00"), D("75.00"))
    order = Order.objects.get(number=paol.renewals.get(number=1).order_number)
    assert DemoCharge.objects.get(order_number=order.number).attempts > 1
    assert orders.refund(order, amount=D("75.00")) == D("75.00"), "the manager gives back what it took"


def test_what_was_never_paid_or_was_given_back_has_ended(lived: str) -> None:
    nina = membership("nina", "monthly")
    assert (nina.state, nina.ended_reason) == ("ended", "not_paid")
    # When it was due, three times as the plan says, and at the end of the time of grace.
    assert nina.renewals.get().attempt == 5
    assert Message.objects.filter(kind="membership_ended", user=nina.user, state="sent").exists()
    ronan = membership("ronan.gourvil", "monthly")
    assert (ronan.state, ronan.ended_reason) == ("ended", "refunded")
    reward = Reward.objects.get(referral__friend=ronan.user, side="advocate")
    assert (reward.user, reward.state, reward.posted) == (user("tangi"), "taken_back", D("0.00"))
    for name in ("maud", "erwan"):
        assert membership(name, "monthly").ended_reason == "ran_out"
    ewen = membership("ewen.prigent", "monthly")
    assert (ewen.state, ewen.renews) == ("active", False)


def test_each_friend_of_a_member_has_come_once(lived: str) -> None:
    passes = Membership.objects.filter(plan__slug="friends-pass")
    assert passes.count() >= 5
    assert {each.uses_made.count() for each in passes} == {1}
    short = Period.objects.get(shortfall_uses__gt=0, shortfall_closed_at=None)
    assert (short.membership.user, short.taken_back_reason) == (user("glenn.corre"), "taken_back")
    assert membership("camille", "ten-classes").uses_left == 7
    assert membership("gwen.cadiou", "five-classes").uses_left == 3


def test_who_was_taken_along_has_a_month_longer_for_taking_somebody_along(lived: str) -> None:
    soazig = membership("soazig.guivarch", "monthly")
    bought, given = soazig.periods.order_by("pk")
    assert (given.origin, given.kind, given.starts_at) == ("reward", "extension", bought.ends_at)
    assert given.reward is not None
    assert given.reward.referral.friend == user("alan.kerbrat")


def test_the_group_is_that_of_those_whose_membership_runs(lived: str) -> None:
    inside = set(get_user_model().objects.filter(groups__name=MEMBERS).values_list("email", flat=True))
    names = {email.partition("@")[0] for email in inside}
    assert names >= {"salome", "tangi", "paol", "soazig.guivarch", "clara.vasseur"}
    assert names & {"nina", "maud", "erwan", "ronan.gourvil", "camille", "gaelle"} == set()


@pytest.mark.parametrize(("language", "account"), [("en", "Open an account"), ("fr", "Ouvrez un compte")])
def test_a_friend_reads_where_the_class_comes_from(
    lived: str, client: Client, language: str, account: str
) -> None:
    """The present is in no basket: an account is opened for it."""
    path = people.share_path(people.code_of(people.find_advocate(user("salome"))))
    page = client.get(path, headers={"accept-language": language}, follow=True).content.decode()
    assert account in page
    assert "basket already" not in page and "déjà dans le panier" not in page


@pytest.mark.parametrize("language", ["en", "fr"])
def test_customers_read_it_on_their_pages(lived: str, client: Client, language: str) -> None:
    client.force_login(user("salome"))
    page = " ".join(client.get(f"/{language}/memberships/").content.decode().split())
    plain = page.replace("\xa0", " ").replace("\u202f", " ")
    assert ("€60.00" if language == "en" else "60,00 €") in plain
    assert "•••• 4242" in plain
    for name, path in (("salome", "account/card/"), ("camille", "memberships/"), ("nina", "memberships/")):
        client.force_login(user(name))
        assert client.get(f"/{language}/{path}").status_code == 200
    client.force_login(user("camille"))
    timetable = client.get("/en/timetable/").content.decode()
    assert "10-class pass: 7 classes left" in timetable


def test_staff_see_members_renewals_and_what_is_to_be_recovered(lived: str, client: Client) -> None:
    client.force_login(user("editor"))
    desk = client.get("/admin/memberships/check-in/").content.decode()
    assert "Paol" in desk
    assert "Nina" not in desk


def test_it_says_where_to_look(lived: str) -> None:
    assert "salome@example.com, in “Members now” (€15.00)" in lived
    assert "salome@example.com: Monthly membership renews on 20 January 2027 at 00:5" in lived
    assert "€15.00 of €75.00 by credit" in lived
    assert "paol@example.com: the card was declined; may come until" in lived
    assert "Passes that were taken back after they had been used: 1" in lived


def test_months_before_keep_the_hour_and_miss_what_no_month_has() -> None:
    from datetime import UTC, datetime
    from zoneinfo import ZoneInfo

    paris = ZoneInfo("Europe/Paris")
    moment = datetime(2027, 5, 31, 9, 30, tzinfo=UTC)
    assert months_before(moment, 2, paris) == datetime(2027, 3, 31, 9, 30, tzinfo=UTC)
    assert months_before(moment, 3, paris) is None
    # Winter time in Paris: the same hour there.
    assert months_before(moment, 5, paris) == datetime(2026, 12, 31, 10, 30, tzinfo=UTC)
    for day in range(366):
        due = datetime(2027, 1, 1, 12, tzinfo=UTC) + timedelta(days=day)
        assert months_before(due, 3, paris) or months_before(due, 2, paris), due


def test_the_card_of_a_member_is_kept(lived: str) -> None:
    card = kept.card_of(user("salome"))
    assert card is not None
    assert card.label == "•••• 4242"
    assert NOW - timedelta(days=93) < card.updated_at < NOW + LONGEST
