"""The customer's page: what runs, the renewal, what was, and where it came from."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.utils import timezone

from example_site.card.models import StoredCard
from oscar_integration.memberships.customer_page import page_context
from oscar_integration.memberships.models import Membership, Period, Renewal, Use
from oscar_integration.memberships.opening import adopt, open_for_order
from oscar_integration.memberships.settle import settle
from tests.memberships.rows import NOW, give, make_plan
from tests.memberships.shopping import make_sold_plan, membership_of, pay, place
from tests.oscar_integration.shopping import make_program
from tests.oscar_integration.test_account_tab import stock_tabs  # noqa: F401  (pytest finds it by its name)
from wagtail_referrals import credit, people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim

pytestmark = [pytest.mark.django_db, pytest.mark.usefixtures("clock")]

URL = "/en/memberships/"
REFER = "/en/account/refer-a-friend/"


@pytest.fixture
def page(client: Any, lea: Any) -> Any:
    """The page as Léa sees it."""

    def get(query: str = "") -> Any:
        # A session does not outlive what the clock is moved by.
        client.force_login(lea)
        response = client.get(URL + query)
        assert response.status_code == 200
        assert "no-store" in response["Cache-Control"] and "private" in response["Cache-Control"]
        return BeautifulSoup(response.content, "html.parser").select_one(".referrals-account")

    return get


@pytest.fixture
def card(lea: Any) -> StoredCard:
    return StoredCard.objects.create(user=lea, last4="4242", token="tok")


@pytest.fixture
def monthly(db: None) -> Any:
    """75.00 a month, until it is switched off."""
    return make_sold_plan(price="75.00", renews=True)


def soup_of(response: Any) -> Any:
    return BeautifulSoup(response.content, "html.parser")


def facts(soup: Any) -> dict[str, str]:
    return {
        row.dt.get_text(strip=True): " ".join(row.dd.get_text(" ", strip=True).split())
        for row in soup.select("dl > div")
    }


def lines(soup: Any) -> list[str]:
    return [" ".join(line.get_text(" ", strip=True).split()) for line in soup.select("p, li")]


def buy(plan: Any, user: Any, quantity: int = 1) -> Any:
    """A paid order; its memberships are there."""
    order = pay(place(plan, user=user, quantity=quantity))
    open_for_order(order)
    settle(membership_of(user, plan).pk)
    return order


def pay_credit(user: Any, amount: str, *, pays_renewals: bool) -> None:
    """Credit that a reward of such a program gave."""
    terms = make_program(credit_pays_renewals=pays_renewals)
    reward = reward_of(user, None, terms)
    credit.grant(
        user=user,
        currency="EUR",
        amount=Decimal(amount),
        key=f"reward:{reward.pk}:1",
        source=f"reward:{reward.pk}",
    )


def reward_of(
    user: Any, friend: Any, terms: Any = None, *, side: str = "advocate", name: str = "Inès"
) -> Reward:
    """A reward: of ``user`` for ``friend``, or as ``side`` "friend" of ``user`` whom ``name`` invited."""
    terms = terms or make_program()
    other = friend if side == "friend" else user
    advocate = people.advocate_for(other)
    Advocate.objects.filter(pk=advocate.pk).update(public_name=name)
    claim = Claim.objects.create(
        advocate=advocate, terms=terms, source="code", created_at=NOW, expires_at=NOW + timedelta(days=30)
    )
    referral = Referral.objects.create(
        terms=terms,
        program_key=terms.program_key,
        advocate=advocate,
        claim=claim,
        friend=user if side == "friend" else friend,
        created_at=NOW,
        state="rewarded",
    )
    return Reward.objects.create(
        referral=referral,
        terms=terms,
        rule_key=terms.data["rules"][0 if side == "friend" else 1]["key"],
        side=side,
        occasion="arrival" if side == "friend" else f"purchase:{referral.pk}",
        advocate=advocate,
        user=user,
        kind="credit",
        currency="EUR",
        state="given",
        created_at=NOW,
    )


# Whose page it is


def test_it_is_for_customers_only(client: Any) -> None:
    response = client.get(URL)
    assert response.status_code == 302 and "login" in response.url


def test_nobody_sees_or_switches_the_membership_of_another(
    page: Any, make_customer: Any, monthly: Any, client: Any
) -> None:
    give(make_customer("hugo@example.com"), monthly)
    other = Membership.objects.get()
    assert page().select("section[id^=membership-]") == []
    assert client.post(f"{URL}{other.pk}/renewal/", {"on": "0"}).status_code == 404
    other.refresh_from_db()
    assert other.renews


def test_who_never_had_one_is_led_to_what_is_sold(page: Any, monthly: Any) -> None:
    make_plan("gift", gift_only=True)
    soup = page()
    assert "You have no membership yet." in soup.text
    (link,) = soup.select("section[aria-labelledby=offers] a")
    assert link.text == "Monthly" and link["href"] == monthly.product.get_absolute_url()
    assert "1 month" in soup.text


def test_where_nothing_is_sold_there_is_the_shop(page: Any) -> None:
    (link,) = page().select("section[aria-labelledby=offers] a")
    assert link["href"] == "/en/catalogue/"


# What runs


def test_what_there_is_to_know_of_one_that_runs(page: Any, lea: Any) -> None:
    plan = make_sold_plan("ten", uses=10, period_length=3)
    order = buy(plan, lea)
    membership = membership_of(lea)
    soup = page()
    assert facts(soup) == {
        "Your code": f"{membership.code[:4]} {membership.code[4:]} Show it at the desk when you come.",
        "Runs": f"March 10, 2026 to June 10, 2026 order {order.number}",
        "Uses left": "10",
    }
    assert soup.h2.text == "Ten" and soup.select_one(".referrals-state").text == "Running"
    assert soup.select_one("dd a")["href"] == f"/en/accounts/orders/{order.number}/"
    assert "renew" not in soup.text.lower()


def test_an_order_that_is_gone_has_no_link(page: Any, lea: Any, plan: Any) -> None:
    order = buy(plan, lea)
    number = order.number
    order.delete()
    soup = page()
    assert f"order {number}" in soup.text and soup.select("dd a") == []


def test_an_order_of_before_there_was_an_account_has_no_link(page: Any, lea: Any, plan: Any) -> None:
    """Oscar shows it to nobody but the guest, by a link of its own."""
    order = pay(place(plan, email="lea@example.com"))
    open_for_order(order)
    adopt(lea, order.number, now=NOW)
    soup = page()
    assert f"order {order.number}" in soup.text and soup.select("dd a") == []


def test_as_often_as_one_likes_counts_nothing(page: Any, lea: Any, plan: Any) -> None:
    give(lea, plan)
    assert "Uses left" not in facts(page())


def test_one_that_is_not_paid_waits_and_has_no_code(page: Any, lea: Any, plan: Any) -> None:
    order = place(plan, user=lea)
    open_for_order(order)
    soup = page()
    assert "It begins once it is paid:" in soup.text and soup.select_one("a[href*='/orders/']") is not None
    assert membership_of(lea).code[:4] not in soup.text and soup.select("dl") == []
    assert soup.select_one(".referrals-state").text == "Not begun"


def test_what_it_was_given_for(page: Any, lea: Any, make_customer: Any, plan: Any) -> None:
    ines = make_customer("ines@example.com", first_name="Inès")
    give(lea, plan, origin=Period.Origin.REWARD, reward_id=reward_of(lea, ines, side="friend").pk)
    assert "a gift: Inès invited you" in facts(page())["Runs"]
    Advocate.objects.update(public_name="")
    assert "a gift: a friend invited you" in facts(page())["Runs"]


def test_of_a_friend_there_is_the_first_letter(page: Any, lea: Any, make_customer: Any, plan: Any) -> None:
    hugo = make_customer("hugo@example.com", first_name="Hugo", last_name="Petit")
    give(lea, plan, origin=Period.Origin.REWARD, reward_id=reward_of(lea, hugo).pk)
    soup = page()
    assert "a reward: you invited H…" in facts(soup)["Runs"]
    assert "Hugo" not in soup.text and "Petit" not in soup.text


def test_what_staff_gave(page: Any, lea: Any, plan: Any) -> None:
    give(lea, plan)
    assert facts(page())["Runs"].endswith("given by us")


def test_periods_and_visits_are_folded(page: Any, lea: Any, plan: Any, clock: Any) -> None:
    first = give(lea, plan).periods.get()
    clock.shift(timedelta(days=1))
    buy(plan, lea)
    for number in range(22):
        Use.objects.create(
            membership=first.membership,
            period=first,
            key=str(number),
            how=Use.How.CODE,
            used_at=NOW + timedelta(hours=number),
            undone_at=NOW if number == 21 else None,
        )
    soup = page()
    (history,) = soup.select("details.memberships-history")
    assert not history.has_attr("open") and history.summary.text == "History"
    assert [title.text for title in history.select("h3")] == ["Periods", "21 visits"]
    periods, visits = history.select("ul")
    assert [" ".join(row.text.split()) for row in periods.select("li")] == [
        f"April 10, 2026 to May 10, 2026 order {Period.objects.latest('pk').order_number} comes after the present one",
        "March 10, 2026 to April 10, 2026 given by us",
    ]
    # The last one was undone.
    assert visits.li.text == "March 11, 2026, 6:30 a.m."
    assert len(visits.select("li")) == 20 and "Those before these are not shown." in history.text
    # Where it came from is more than one thing now.
    assert facts(soup)["Runs"] == "March 10, 2026 to May 10, 2026"


# The renewal


def test_what_staff_gave_does_not_renew_until_the_customer_wants_it(
    page: Any, lea: Any, monthly: Any
) -> None:
    give(lea, monthly, switched_on=False)
    soup = page()
    assert "It ends on April 10, 2026. The renewal is switched off." in lines(soup)
    assert "Switch the renewal on" in soup.text


def test_the_next_renewal_in_words(page: Any, lea: Any, monthly: Any, card: Any) -> None:
    give(lea, monthly)
    assert "Renews on April 10, 2026 for €75.00, charged to your card •••• 4242." in lines(page())
    pay_credit(lea, "20.00", pays_renewals=True)
    soup = page()
    assert (
        "Renews on April 10, 2026 for €75.00: €20.00 is paid with your referral credit, "
        "€55.00 is charged to your card •••• 4242."
    ) in lines(soup)
    assert "for your next order" not in soup.text
    (link,) = [link for link in soup.select("a") if link.text == "Change the card"]
    assert link["href"] == "/en/account/card/"


def test_credit_may_pay_all_of_it_and_leave_something(page: Any, lea: Any, monthly: Any, card: Any) -> None:
    give(lea, monthly)
    pay_credit(lea, "90.00", pays_renewals=True)
    found = lines(page())
    assert "Renews on April 10, 2026 for €75.00, all of it paid with your referral credit." in found
    assert "Besides, you have €15.00 of referral credit for your next order." in found


def test_credit_that_pays_no_renewal_is_for_the_next_order(
    page: Any, lea: Any, monthly: Any, card: Any
) -> None:
    give(lea, monthly)
    pay_credit(lea, "20.00", pays_renewals=False)
    found = lines(page())
    assert "Renews on April 10, 2026 for €75.00, charged to your card •••• 4242." in found
    assert "You have €20.00 of referral credit for your next order." in found


def test_two_renewals_do_not_spend_the_same_credit(page: Any, lea: Any, monthly: Any, card: Any) -> None:
    weekly = make_sold_plan("weekly", price="30.00", renews=True, period_unit="days", period_length=7)
    give(lea, monthly)
    give(lea, weekly)
    pay_credit(lea, "50.00", pays_renewals=True)
    found = lines(page())
    assert "Renews on March 17, 2026 for €30.00, all of it paid with your referral credit." in found
    assert (
        "Renews on April 10, 2026 for €75.00: €20.00 is paid with your referral credit, "
        "€55.00 is charged to your card •••• 4242."
    ) in found


def test_without_a_card_the_customer_is_told(page: Any, lea: Any, monthly: Any) -> None:
    give(lea, monthly)
    assert "You keep no card with us that could be charged. Without one it ends." in lines(page())
    pay_credit(lea, "75.00", pays_renewals=True)
    assert "You keep no card with us" not in page().text


def test_a_card_that_the_shop_cannot_name_leaves_the_page_as_it_is(
    page: Any, lea: Any, monthly: Any, card: Any, monkeypatch: Any
) -> None:
    def fail(*arguments: Any) -> None:
        raise RuntimeError

    give(lea, monthly)
    monkeypatch.setattr("example_site.card.kept.card_of", fail)
    assert "Renews on April 10, 2026 for €75.00, charged to your card." in lines(page())


def test_prices_that_fail_leave_the_page_as_it_is(
    page: Any, lea: Any, monthly: Any, card: Any, monkeypatch: Any, caplog: Any
) -> None:
    def fail(*arguments: Any) -> None:
        # PostgreSQL refuses whatever comes after this in the same transaction.
        connection.cursor().execute("SELECT a FROM no_table")

    give(lea, monthly)
    monkeypatch.setattr("oscar_integration.memberships.placing.quote", fail)
    assert "Renews on April 10, 2026." in lines(page())
    assert "without what a renewal will cost" in caplog.text


def test_switch_it_off_and_on_again(page: Any, lea: Any, monthly: Any, card: Any, client: Any) -> None:
    give(lea, monthly)
    membership = membership_of(lea)
    form = page().select_one("details form")
    assert form.p.text.strip() == "You then have access until April 10, 2026, and nothing more is charged."
    values = {field["name"]: field["value"] for field in form.select("input[name=on]")}
    response = client.post(form["action"], values, follow=True)
    assert "The renewal is switched off. You have access until April 10, 2026" in response.content.decode()
    membership.refresh_from_db()
    assert not membership.renews and membership.access_until == membership.ends_at
    soup = page()
    assert "It ends on April 10, 2026. The renewal is switched off." in lines(soup)
    form = soup.select_one("details form")
    assert lines(form)[0] == (
        "Renews on April 10, 2026 for €75.00, charged to your card •••• 4242. "
        "Then again at the end of each period, until you switch it off."
    )
    # A second click on the first button changes nothing.
    client.post(form["action"], values)
    client.post(form["action"], {field["name"]: field["value"] for field in form.select("input[name=on]")})
    membership.refresh_from_db()
    assert membership.renews
    assert (
        "The renewal is switched on. The next one is on April 10, 2026." in client.get(URL).content.decode()
    )


@pytest.mark.parametrize("button", ["renewal", "retry"])
def test_who_has_to_log_in_before_a_button_works_comes_back_to_the_page(
    lea: Any, monthly: Any, client: Any, button: str
) -> None:
    give(lea, monthly)
    address = f"{URL}{membership_of(lea).pk}/{button}/"
    client.logout()
    login = client.post(address, {"on": "0"})
    assert f"next={address}" in login.url
    client.force_login(lea)
    assert client.get(address).url == URL


def test_only_a_plan_that_renews_has_a_switch(page: Any, lea: Any, plan: Any, client: Any) -> None:
    give(lea, plan)
    assert page().select("form") == []
    assert client.post(f"{URL}{membership_of(lea).pk}/renewal/", {"on": "1"}).status_code == 404
    assert client.get(f"{URL}{membership_of(lea).pk}/renewal/").status_code == 302


def test_one_that_has_ended_cannot_be_switched(
    page: Any, lea: Any, monthly: Any, client: Any, clock: Any
) -> None:
    give(lea, monthly)
    membership = membership_of(lea)
    Membership.objects.update(renews=False)
    clock.shift(timedelta(days=40))
    settle(membership.pk)
    client.force_login(lea)
    client.post(f"{URL}{membership.pk}/renewal/", {"on": "1"})
    membership.refresh_from_db()
    assert not membership.renews
    assert "This membership has ended already." in client.get(URL).content.decode()


@pytest.fixture
def declined(lea: Any, monthly: Any, card: Any, clock: Any) -> Membership:
    """Of 75.00 the card was to pay 55.00, and was declined an hour ago."""
    membership = give(lea, monthly)
    assert membership.ends_at is not None
    clock.move_to(membership.ends_at + timedelta(hours=1))
    Renewal.objects.create(
        membership=membership,
        number=1,
        due_at=membership.ends_at,
        state=Renewal.State.PAST_DUE,
        currency="EUR",
        total=Decimal("75.00"),
        credit=Decimal("20.00"),
        charge=Decimal("55.00"),
        attempt=1,
        next_attempt_at=membership.ends_at + timedelta(days=3),
        refusal="Your bank declined •••• 4242.",
        created_at=NOW,
    )
    settle(membership.pk)
    return membership


def test_what_is_due_is_said_plainly(page: Any, declined: Membership) -> None:
    soup = page()
    assert soup.select_one(".referrals-state").text == "Payment is due"
    assert lines(soup.select_one(".memberships-trouble")) == [
        "The renewal is not paid yet: €55.00.",
        "Your bank declined •••• 4242.",
        "Your access goes on until April 17, 2026. If it is not paid by then, the membership ends.",
        "We try again on April 13, 2026.",
    ]
    assert [way.get_text(strip=True) for way in soup.select(".memberships-trouble :is(a, button)")] == [
        "Change the card",
        "Try this card again",
    ]
    assert "The membership then ends at once: it is paid until April 10, 2026 only." in soup.text


def test_who_removed_the_card_is_led_to_where_one_is_added(page: Any, declined: Membership, lea: Any) -> None:
    StoredCard.objects.filter(user=lea).delete()
    soup = page()
    assert [way.get_text(strip=True) for way in soup.select(".memberships-trouble :is(a, button)")] == [
        "Add a card"
    ]
    assert soup.select_one(".memberships-trouble a")["href"] == "/en/account/card/"


def test_credit_that_will_pay_what_is_due_is_not_offered_for_an_order(
    page: Any, declined: Membership, lea: Any, client: Any
) -> None:
    pay_credit(lea, "20.00", pays_renewals=True)
    assert "for your next order" not in page().text
    assert "€20.00 of it pays your renewal, which is due." in client.get(REFER).content.decode()


def test_a_card_that_was_declined_is_tried_again_soon(
    declined: Membership, lea: Any, client: Any, clock: Any, make_customer: Any
) -> None:
    renewal = Renewal.objects.get()
    client.force_login(make_customer("hugo@example.com"))
    assert client.post(f"{URL}{declined.pk}/retry/").status_code == 404
    client.force_login(lea)
    assert client.get(f"{URL}{declined.pk}/retry/").status_code == 302
    before = renewal.next_attempt_at
    response = client.post(f"{URL}{declined.pk}/retry/", follow=True)
    assert "We try it again within the next minutes" in response.content.decode()
    renewal.refresh_from_db()
    assert before is not None and renewal.next_attempt_at == timezone.now() < before


def test_uses_that_are_used_come_again_with_the_renewal(page: Any, lea: Any) -> None:
    give(lea, make_sold_plan("ten", price="75.00", renews=True, uses=1))
    Membership.objects.update(uses_left=0)
    assert facts(page())["Uses left"] == "0 New ones come with the renewal."


# What was


def test_those_that_ended_are_folded_and_paged(page: Any, lea: Any, plan: Any, clock: Any) -> None:
    for _number in range(21):
        given = give(lea, plan)
        Membership.objects.filter(pk=given.pk).update(
            state="ended", ended_reason="refunded", access_until=NOW
        )
    soup = page()
    details = soup.select_one("section[aria-labelledby=ended] details")
    assert not details.has_attr("open") and len(details.select("li")) == 20
    assert " ".join(details.li.text.split()) == (
        "Monthly given by us March 10, 2026 to April 10, 2026 it was refunded"
    )
    assert details.select_one("a[rel=next]")["href"] == "?ended=2#ended"
    second = page("?ended=2").select_one("section[aria-labelledby=ended] details")
    assert second.has_attr("open") and len(second.select("li")) == 1


def test_one_whose_end_was_not_noted_yet_has_ended(page: Any, lea: Any, plan: Any, clock: Any) -> None:
    give(lea, plan)
    clock.shift(timedelta(days=40))
    assert membership_of(lea).state == "active"
    soup = page()
    assert soup.select("section[id^=membership-]") == []
    assert "No membership of yours runs at the moment." in soup.text
    assert len(soup.select("section[aria-labelledby=ended] li")) == 1


# What it costs, and the way there


def test_the_number_of_queries_is_the_same_however_much_there_is(
    lea: Any, plan: Any, rf: Any, django_assert_num_queries: Any
) -> None:
    terms = make_program()
    request = rf.get(URL)
    request.user = lea

    def fill(number: int) -> None:
        buy(plan, lea, quantity=2)
        period = Period.objects.filter(membership__plan=plan).latest("pk")
        Use.objects.create(
            membership=period.membership, period=period, key=str(number), how=Use.How.CODE, used_at=NOW
        )
        for slug in (f"gone-{number}", f"given-{number}"):
            reward = reward_of(lea, None, terms)
            given = give(lea, make_plan(slug), origin=Period.Origin.REWARD, reward_id=reward.pk)
        Membership.objects.filter(plan__slug__startswith="gone").update(
            state="ended", ended_reason="refunded", access_until=NOW
        )
        assert given.state == "active"

    fill(0)
    with django_assert_num_queries(11):
        page_context(request)
    for number in range(1, 4):
        fill(number)
    with django_assert_num_queries(11):
        found = page_context(request)
    assert len(found["running"]) == 5 and len(found["ended"].object_list) == 4


@pytest.mark.usefixtures("stock_tabs")
def test_the_tab_is_for_those_who_have_or_had_one(client: Any, lea: Any, plan: Any) -> None:
    client.force_login(lea)

    def tabs(url: str = "/en/accounts/profile/") -> list[Any]:
        soup = BeautifulSoup(client.get(url).content, "html.parser")
        return soup.select(f'a.nav-link[href="{URL}"]')

    assert tabs() == []
    # Whoever is on the page sees where they are.
    assert len(tabs(URL)) == 1
    give(lea, plan)
    Membership.objects.update(state="ended", ended_reason="refunded")
    (tab,) = tabs()
    assert tab.text == "Memberships" and "active" not in tab["class"]
    (tab,) = tabs(URL)
    assert "active" in tab["class"]
    assert len(tabs(REFER)) == 1


# "Refer a friend"


def test_refer_a_friend_leads_to_a_membership_that_was_given(
    client: Any, lea: Any, make_customer: Any
) -> None:
    client.force_login(lea)
    trial = make_plan("trial", gift_only=True, is_trial=True, uses=1, period_unit="days", period_length=30)
    ines = make_customer("ines@example.com", first_name="Inès")
    given = give(lea, trial, origin=Period.Origin.REWARD, reward_id=reward_of(lea, ines, side="friend").pk)
    soup = soup_of(client.get(f"{REFER}rewards/"))
    (row,) = soup.select("#rewards + ul > li")
    assert [part.get_text(strip=True) for part in row.select("div")] == [
        "Trial",
        "You can use it once, until April 9, 2026.",
        "See your membership",
    ]
    assert row.a["href"] == f"{URL}#membership-{given.pk}"
    Membership.objects.update(state="ended", ended_reason="taken_back")
    soup = soup_of(client.get(f"{REFER}rewards/"))
    assert soup.select("#rewards") == []


@pytest.mark.parametrize("pays", [True, False])
def test_refer_a_friend_says_what_the_credit_is_for(
    client: Any, lea: Any, monthly: Any, card: Any, pays: bool
) -> None:
    client.force_login(lea)
    give(lea, monthly)
    pay_credit(lea, "20.00", pays_renewals=pays)
    soup = soup_of(client.get(f"{REFER}rewards/"))
    words = "€20.00 of it pays your renewal on April 10, 2026."
    assert (words in soup.select_one("section[aria-labelledby=balance]").text) is pays
