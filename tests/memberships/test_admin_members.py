"""Members in the admin: found and filtered, explained on their page, given, ended, settled with."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import time_machine
from bs4 import Tag
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from wagtail.models import ModelLogEntry

from oscar_integration.memberships.models import Membership, Period, Plan, Renewal, Use
from oscar_integration.memberships.opening import take_back
from oscar_integration.memberships.settle import settle
from tests.admin.rows import make_advocate, make_program, make_referral, make_reward
from tests.memberships.rows import NOW, give, make_plan, make_user
from tests.memberships.shopping import membership_of, pay, place
from tests.memberships.staff import (
    MEMBERS,
    administrator,
    file_of,
    first_cells,
    main_of,
    make_renewal,
    page_of,
    reader,
    rows_of,
    soup_of,
    words_of,
)
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

INDEX = f"{MEMBERS}:index"
ADD = f"{MEMBERS}:add"
ALL = ("view_membership", "change_membership", "add_membership")


@pytest.fixture
def admin() -> Client:
    return administrator()


@pytest.fixture
def desk() -> Client:
    """Looks after members, and may do nothing else."""
    return reader(*ALL)


def friend_of_camille(friend: Any, **values: Any) -> Referral:
    if not Terms.objects.exists():
        make_program()
    terms = Terms.objects.get()
    return make_referral(terms, make_advocate(f"adv-{friend.pk}@example.com", "Camille"), friend, **values)


def buy(plan: Plan, user: Any) -> Any:
    """The order, paid."""
    order = pay(place(plan, user=user))
    settle(membership_of(user, plan).pk)
    return order


def settled(membership: Membership) -> Membership:
    found = settle(membership.pk, now=NOW)
    assert found is not None
    return found


def url_of(name: str, membership: Membership | Period) -> str:
    return reverse(f"{MEMBERS}:{name}", args=[membership.pk])


def post(client: Client, path: str, **values: str) -> str:
    """What the page says afterwards."""
    return words_of(soup_of(client.post(path, values, follow=True)))


# The listing


def test_a_row_says_what_there_is(admin: Client, plan: Plan) -> None:
    Plan.objects.update(renews=True, uses=8)
    give(make_user("lea@example.com", "Léa", "Petit"), Plan.objects.get(), now=NOW)
    assert rows_of(admin.get(reverse(INDEX))) == [
        ["Léa Petit", "Monthly", "running", "03/10/2026", "04/10/2026", "8", "on", ""]
    ]


@pytest.fixture
def several(plan: Plan) -> dict[str, Membership]:
    """Léa pays, Noé has a pass, Hugo was given one that has ended, Jade is a guest who has not paid."""
    plan.renews = True
    plan.save()
    ten = make_plan("ten", uses=10, period_length=3)
    lea, noe, hugo = (make_user(f"{name}@example.com", name.title()) for name in ("lea", "noe", "hugo"))
    buy(plan, lea)
    friend_of_camille(noe)
    friend_of_camille(hugo, state=Referral.State.REFUSED)
    place(plan, email="jade@example.com")
    return {
        "Lea": membership_of(lea),
        "Noe": give(noe, ten),
        "Hugo": settled(give(hugo, ten, now=NOW - timedelta(days=200))),
        "guest, no account yet": Membership.objects.get(user=None),
    }


FOUND = [
    ({}, ["Lea", "Noe", "Hugo", "guest, no account yet"]),
    ({"state": ["active", "waiting"]}, ["Lea", "Noe", "guest, no account yet"]),
    ({"origin": "order"}, ["Lea", "guest, no account yet"]),
    ({"origin": "staff"}, ["Noe", "Hugo"]),
    ({"friend": "true"}, ["Noe"]),
    ({"friend": "false"}, ["Lea", "Hugo", "guest, no account yet"]),
    ({"renews": "true"}, ["Lea", "guest, no account yet"]),
    ({"renews": "false"}, ["Noe", "Hugo"]),
    ({"shortfall": "true"}, []),
    ({"starts_at_from": "2026-03-01", "starts_at_to": "2026-03-31"}, ["Lea", "Noe"]),
    ({"access_until_to": "2026-03-09"}, ["Hugo"]),
    ({"q": "noe@example.com"}, ["Noe"]),
    ({"q": "lea"}, ["Lea"]),
    ({"q": "nobody"}, []),
    # What makes no sense finds nothing, in place of everything.
    ({"state": "bogus"}, []),
    ({"plan": "bogus"}, []),
    ({"plan": "9" * 23}, []),
    ({"starts_at_from": "soon"}, []),
]


@pytest.mark.parametrize(("query", "names"), FOUND)
def test_members_are_found(
    admin: Client, several: dict[str, Membership], query: dict[str, Any], names: list[str]
) -> None:
    assert sorted(first_cells(admin.get(reverse(INDEX), query))) == sorted(names)


def test_members_are_found_by_plan_and_by_code(admin: Client, several: dict[str, Membership]) -> None:
    found = admin.get(reverse(INDEX), {"plan": several["Noe"].plan_id})
    assert sorted(first_cells(found)) == ["Hugo", "Noe"]
    code = several["Lea"].code.lower()
    assert first_cells(admin.get(reverse(INDEX), {"q": f"{code[:4]} {code[4:]}"})) == ["Lea"]


@pytest.mark.parametrize("number", ["9" * 23, "9" * 5000])
def test_a_customer_with_a_number_that_is_none_is_nobody(admin: Client, plan: Plan, number: str) -> None:
    response = admin.get(reverse("referral_memberships_members:add"), {"customer": number, "plan": number})
    assert response.status_code == 200


def test_members_are_downloaded(admin: Client, several: dict[str, Membership]) -> None:
    shown = rows_of(admin.get(reverse(INDEX)))
    head, *rows = file_of(admin.get(reverse(INDEX), {"export": "csv"}))
    assert head == ["Customer", "Plan", "State", "From", "Until", "Uses left", "Renewal", "Still to recover"]
    assert [[row[0], row[1], *row[5:]] for row in rows] == [[row[0], row[1], *row[5:]] for row in shown]
    assert admin.get(reverse(INDEX), {"state": "bogus", "export": "csv"}).status_code == 400


def test_days_of_filters_are_the_sites(admin: Client) -> None:
    """Paris is an hour ahead of London: what began at midnight there is of the day before in London."""
    from wagtail.users.models import UserProfile

    user = Membership._meta.get_field("user").related_model.objects.get(email="admin@example.com")
    UserProfile.objects.update_or_create(user=user, defaults={"current_time_zone": "America/New_York"})
    # Half past midnight of 1 March in Paris.
    give(make_user("lea@example.com", "Léa"), make_plan(), now=datetime(2026, 2, 28, 23, 30, tzinfo=UTC))
    march = {"starts_at_from": "2026-03-01", "starts_at_to": "2026-03-01"}
    assert first_cells(admin.get(reverse(INDEX), march)) == ["Léa"]
    february = {"starts_at_from": "2026-02-28", "starts_at_to": "2026-02-28"}
    assert first_cells(admin.get(reverse(INDEX), february)) == []


def fill(plan: Plan, numbers: range) -> None:
    users = [make_user(f"m{number}@example.com", f"Mo{number}") for number in numbers]
    rows = Membership.objects.bulk_create(
        Membership(
            user=user,
            plan=plan,
            code=f"M{number:07}",
            state="active",
            starts_at=NOW,
            ends_at=NOW + timedelta(days=30),
            access_until=NOW + timedelta(days=30),
            created_at=NOW,
        )
        for number, user in zip(numbers, users, strict=True)
    )
    Period.objects.bulk_create(
        Period(
            membership=row,
            key=f"staff:{uuid4()}",
            origin="reward",
            kind="new",
            length=1,
            unit="months",
            taken_back_at=NOW,
            taken_back_reason="taken_back",
            shortfall_days=3,
            created_at=NOW,
        )
        for row in rows
    )


def test_a_thousand_members_cost_no_more_than_three(admin: Client) -> None:
    plan = make_plan()

    def cost(rows: int, **query: str) -> int:
        path = reverse(INDEX)
        admin.get(path, query)
        with CaptureQueriesContext(connection) as queries:
            assert len(rows_of(admin.get(path, query))) == rows
        return len(queries)

    fill(plan, range(3))
    few = cost(3), cost(3, shortfall="true", friend="false")
    fill(plan, range(3, 1000))
    # More than some hundred are counted by themselves.
    assert (cost(25), cost(25, shortfall="true", friend="false")) == (few[0] + 1, few[1] + 1)
    assert few[0] < 25


def test_no_member_yet(admin: Client) -> None:
    assert "There are no memberships to display." in words_of(main_of(admin.get(reverse(INDEX))))


# The page


def test_the_page_says_where_each_period_comes_from(admin: Client, plan: Plan) -> None:
    lea = make_user("lea@example.com", "Léa")
    order = buy(plan, lea)
    referral = friend_of_camille(lea)
    reward = make_reward(referral, "1")
    alix = Membership._meta.get_field("user").related_model.objects.get(email="admin@example.com")
    give(lea, plan, origin=Period.Origin.REWARD, key="reward:1", reward_id=reward.pk)
    give(lea, plan, given_by=alix)
    page = page_of(admin, membership_of(lea))
    text = words_of(page)
    assert f"bought (new membership) order {order.number}" in text
    assert "reward (extension) the referral" in text
    assert "given by staff (extension) by Alix" in text
    links = [link["href"] for link in page.find_all("a")]
    assert reverse("dashboard:order-detail", args=[order.number]) in links
    assert reverse("wagtail_referrals_referrals:inspect", args=[referral.pk]) in links


def test_the_page_links_to_what_one_may_see_only(plan: Plan) -> None:
    lea = make_user("lea@example.com", "Léa")
    reward = make_reward(friend_of_camille(lea), "1")
    membership = give(lea, plan, origin=Period.Origin.REWARD, key="reward:1", reward_id=reward.pk)
    make_renewal(membership, Renewal.State.PAST_DUE)
    page = page_of(reader("view_membership"), membership)
    assert not [link["href"] for link in page.find_all("a") if "/referrals/" in link["href"]]
    assert not page.find_all("form") and "Renewals" not in words_of(page)
    text = words_of(page_of(reader("view_membership", "view_renewal", email="r@example.com"), membership))
    assert "card declined" in text
    assert "1 refusal: Not enough money." in text


def test_uses_and_the_code_are_shown(admin: Client) -> None:
    membership = give(make_user("lea@example.com"), make_plan(uses=3))
    period = membership.periods.get()
    for number, undone in enumerate((None, NOW)):
        Use.objects.create(
            membership=membership, period=period, key=str(number), how="code", used_at=NOW, undone_at=undone
        )
    text = words_of(page_of(admin, membership))
    assert text.count("by code") == 2 and text.count("undone") == 1
    assert f"{membership.code[:4]} {membership.code[4:]}" in text


def test_renewals_are_shown_with_their_amounts(admin: Client, plan: Plan) -> None:
    plan.renews = True
    plan.save()
    membership = give(make_user("lea@example.com"), plan)
    make_renewal(
        membership,
        Renewal.State.DONE,
        currency="EUR",
        total=Decimal("30.00"),
        credit=Decimal("15.00"),
        charge=Decimal("15.00"),
        charge_label="•••• 4242",
        order_number="100042",
    )
    text = words_of(page_of(admin, membership))
    assert "paid €30.00 €15.00 €15.00 •••• 4242 100042" in text


# Giving


def token_of(page: Any) -> str:
    field = page.find("input", attrs={"name": "token"})
    assert isinstance(field, Tag)
    return str(field["value"])


def search(client: Client, text: str) -> Tag:
    return main_of(client.post(reverse(ADD), {"find": "1", "q": text}))


def give_form(client: Client, plan: Plan, user: Any, **values: str) -> dict[str, str]:
    page = search(client, user.email)
    return {
        "token": token_of(page),
        "q": user.email,
        "customer": str(user.pk),
        "plan": str(plan.pk),
        "note": "Was ill",
    } | values


def test_a_membership_is_given(desk: Client, lea: Any) -> None:
    plan = make_plan(title="Monthly pass")
    page = search(desk, "léa")
    assert "Léa · lea@example.com" in words_of(page)
    # Looking for somebody is not giving: nothing is missing yet.
    assert not page.select(".error-message")
    text = post(desk, reverse(ADD), **give_form(desk, plan, lea))
    assert "Léa has “Monthly” until April 10, 2026." in text
    period = Period.objects.get()
    assert (period.origin, period.kind, period.given_by.email) == ("staff", "new", "staff@example.com")
    assert "Gave a membership: Was ill" in text
    # In the site's history too, without an address.
    entry = ModelLogEntry.objects.get(action="referral_memberships.give")
    assert (entry.label, entry.user.email) == (f"Monthly, no. {period.membership_id}", "staff@example.com")
    history = administrator().get(reverse("wagtailadmin_reports:site_history")).content.decode()
    assert "Gave a membership: Was ill" in history and "lea@example.com" not in history


def test_what_was_searched_is_in_no_address(desk: Client, lea: Any) -> None:
    make_plan()
    page = search(desk, lea.email)
    assert {form["method"].lower() for form in page.find_all("form")} == {"post"}
    assert not [link for link in page.find_all("a") if "lea" in link["href"]]


def test_given_twice_by_one_form_it_is_one_period(desk: Client, lea: Any) -> None:
    form = give_form(desk, make_plan(), lea)
    for _time in range(2):
        assert "Léa has “Monthly” until April 10, 2026." in post(desk, reverse(ADD), **form)
    assert Period.objects.count() == 1
    assert ModelLogEntry.objects.filter(action="referral_memberships.give").count() == 1


def test_another_one_goes_on_from_the_first(desk: Client, lea: Any) -> None:
    plan = make_plan()
    for _time in range(2):
        text = post(desk, reverse(ADD), **give_form(desk, plan, lea))
    assert "until May 10, 2026." in text
    assert Membership.objects.count() == 1


def test_trying_out_is_given_once(desk: Client, lea: Any) -> None:
    plan = make_plan("trial", is_trial=True, period_unit="days", period_length=7)
    form = give_form(desk, plan, lea)
    post(desk, reverse(ADD), **form)
    # The answer was lost: sent again, it is the same one.
    assert "Léa has “Trial”" in post(desk, reverse(ADD), **form)
    text = post(desk, reverse(ADD), **give_form(desk, plan, lea))
    assert "Léa has had “Trial” already: trying out is for once." in text
    assert Period.objects.count() == 1


def test_the_form_asks_for_what_is_missing(desk: Client, lea: Any) -> None:
    plan = make_plan()
    text = post(desk, reverse(ADD), **give_form(desk, plan, lea) | {"note": " ", "customer": "", "plan": ""})
    for words in ("Choose the customer who gets it.", "Choose what the customer gets.", "Say why"):
        assert words in text
    assert not Period.objects.exists()


def test_from_a_members_page_the_form_is_filled_in(desk: Client, lea: Any) -> None:
    membership = give(lea, make_plan())
    make_plan("yearly")
    link = page_of(desk, membership).find("a", string=lambda text: text and "Give another" in text)
    link = link or next(
        found for found in page_of(desk, membership).find_all("a") if "Give another" in found.text
    )
    page = main_of(desk.get(link["href"]))
    checked = {field["name"]: field["value"] for field in page.find_all("input", checked=True)}
    assert checked == {"customer": str(lea.pk), "plan": str(membership.plan_id)}


def test_nobody_is_found(desk: Client, lea: Any) -> None:
    make_plan()
    page = search(desk, "nobody@example.com")
    assert "No customer with “nobody@example.com” was found." in words_of(page)
    assert not page.find("input", attrs={"name": "token"})
    lea.is_active = False
    lea.save()
    assert "No customer with" in words_of(search(desk, "léa"))


def test_many_are_found(desk: Client) -> None:
    make_plan()
    for number in range(21):
        make_user(f"m{number}@example.com", "Mo")
    page = search(desk, "mo")
    assert "Only the first 20 are shown." in words_of(page)
    assert len(page.find_all("input", attrs={"name": "customer"})) == 20


def test_without_a_plan_there_is_nothing_to_give(desk: Client) -> None:
    assert "There is no plan yet." in words_of(main_of(desk.get(reverse(ADD))))


# Ending


def test_before_it_ends_the_page_says_what_happens(desk: Client, plan: Plan, lea: Any) -> None:
    plan.renews = True
    plan.save()
    order = buy(plan, lea)
    give(lea, plan)
    membership = membership_of(lea)
    page = main_of(desk.get(url_of("end", membership)))
    text = words_of(page)
    for words in (
        "The access ends at once.",
        "The period from March 10, 2026 to April 10, 2026 (bought) is taken back",
        "The period from April 10, 2026 to May 10, 2026 (given by staff) is taken back",
        "The renewal is switched off",
        f"refund the order in the shop: {order.number}",
    ):
        assert words in text, words
    membership.refresh_from_db()
    assert membership.state == "active"


def test_it_ends_at_once(desk: Client, clock: time_machine.Traveller, plan: Plan, lea: Any) -> None:
    plan.renews = True
    plan.save()
    buy(plan, lea)
    give(lea, plan)
    membership = membership_of(lea)
    renewal = make_renewal(membership)
    clock.move_to(NOW + timedelta(days=10))
    assert "Say why" in post(desk, url_of("end", membership), note="")
    text = post(desk, url_of("end", membership), note="Moved away")
    assert "The membership of Léa has ended." in text
    assert "Ended the membership: Moved away" in text
    membership.refresh_from_db()
    renewal.refresh_from_db()
    assert (membership.state, membership.ended_reason, membership.renews) == ("ended", "staff", False)
    assert membership.ends_at == NOW + timedelta(days=10)
    assert not membership.is_open(NOW + timedelta(days=10))
    assert renewal.state == Renewal.State.CALLED_OFF
    assert "It has ended already." in post(desk, url_of("end", membership), note="Again")
    assert ModelLogEntry.objects.filter(action="referral_memberships.end").count() == 1


def test_past_due_it_ends_too(clock: time_machine.Traveller, plan: Plan, lea: Any) -> None:
    plan.renews = True
    plan.save()
    buy(plan, lea)
    membership = membership_of(lea)
    make_renewal(membership, Renewal.State.PAST_DUE)
    clock.move_to(membership.ends_at + timedelta(days=2))
    # Who signed in a month ago has been signed out.
    desk = reader(*ALL)
    assert "has ended" in post(desk, url_of("end", membership), note="Asked for it")
    membership.refresh_from_db()
    assert membership.state == "ended"


def test_while_it_is_charged_it_does_not_end(desk: Client, plan: Plan, lea: Any) -> None:
    """The money that is taken at this moment would bring it back."""
    plan.renews = True
    plan.save()
    buy(plan, lea)
    membership = membership_of(lea)
    make_renewal(membership, Renewal.State.CHARGING)
    assert "is being charged at this moment" in post(desk, url_of("end", membership), note="Asked for it")
    membership.refresh_from_db()
    assert membership.state == "active"
    assert not ModelLogEntry.objects.filter(action="referral_memberships.end").exists()


# The renewal


def test_the_renewal_is_switched(desk: Client, plan: Plan, lea: Any) -> None:
    plan.renews = True
    plan.save()
    buy(plan, lea)
    membership = membership_of(lea)
    for on, words in (("0", "The renewal is off."), ("1", "The renewal is on.")):
        assert words in post(desk, url_of("renewal", membership), on=on)
        membership.refresh_from_db()
        assert membership.renews is (on == "1")
        # Once more changes nothing, and is not written down again.
        post(desk, url_of("renewal", membership), on=on)
    actions = ModelLogEntry.objects.filter(action__contains="renewal_").order_by("pk")
    assert [entry.action.rpartition("_")[2] for entry in actions] == ["off", "on"]
    assert desk.post(url_of("renewal", membership), {"on": "x"}).status_code == 400


def test_what_does_not_renew_is_not_switched(desk: Client, lea: Any) -> None:
    membership = give(lea, make_plan())
    assert "Switch the renewal" not in words_of(page_of(desk, membership))
    assert "There is nothing to renew any more." in post(desk, url_of("renewal", membership), on="1")
    membership.refresh_from_db()
    assert membership.renews is False


# Still to recover


@pytest.fixture
def used_gift(clock: time_machine.Traveller, lea: Any) -> Period:
    """Two of three uses were used when the reward was taken back."""
    membership = give(lea, make_plan(uses=3), origin=Period.Origin.REWARD, key="reward:7", counts_from=NOW)
    period = membership.periods.get()
    for number in range(2):
        Use.objects.create(membership=membership, period=period, key=f"u{number}", how="list", used_at=NOW)
    clock.move_to(NOW + timedelta(days=1))
    return take_back(period, Membership.Reason.TAKEN_BACK, now=NOW + timedelta(days=1))


def test_what_is_to_recover_is_seen_and_settled(desk: Client, used_gift: Period) -> None:
    assert first_cells(desk.get(reverse(INDEX), {"shortfall": "true"})) == ["Léa"]
    assert rows_of(desk.get(reverse(INDEX)))[0][-1] == "2 uses"
    page = page_of(desk, used_gift.membership)
    assert "Still to recover: 2 uses" in words_of(page)
    text = post(desk, url_of("recovered", used_gift))
    assert "It is settled with the customer." in text
    assert "Still to recover" not in words_of(page_of(desk, used_gift.membership))
    assert first_cells(desk.get(reverse(INDEX), {"shortfall": "true"})) == []
    assert "Settled what was still to recover" in text
    post(desk, url_of("recovered", used_gift))
    assert ModelLogEntry.objects.filter(action="referral_memberships.recover").count() == 1


def test_what_was_not_used_is_not_to_recover(desk: Client, lea: Any) -> None:
    membership = give(lea, make_plan(uses=3), origin=Period.Origin.REWARD, key="reward:7")
    take_back(membership.periods.get(), Membership.Reason.TAKEN_BACK, now=NOW)
    assert first_cells(desk.get(reverse(INDEX), {"shortfall": "true"})) == []


# What stays when people go


def test_notes_go_with_the_customer(desk: Client, lea: Any) -> None:
    post(desk, reverse(ADD), **give_form(desk, make_plan(), lea, note="Léa was ill"))
    lea.delete()
    entry = ModelLogEntry.objects.get(action="referral_memberships.give")
    assert "note" not in entry.data and "period" in entry.data


def test_a_deleted_customers_membership_still_opens(admin: Client, lea: Any) -> None:
    membership = give(lea, make_plan())
    lea.delete()
    assert "deleted customer" in words_of(page_of(admin, membership))
    assert Membership.objects.get().user is None


def test_a_guests_order_waits(admin: Client, plan: Plan) -> None:
    place(plan, email="jade@example.com")
    membership = Membership.objects.get()
    text = words_of(page_of(admin, membership))
    assert "guest, no account yet" in text and "not paid yet" in text and "jade@example.com" not in text
