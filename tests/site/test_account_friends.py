"""The customer's friends: every state with its reason, each step, names when both agreed, any number of them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from bs4 import BeautifulSoup
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from tests.site.customers import NAMES, STATES, with_friends
from tests.site.test_account import FRIENDS, REWARDS, URL, refer, reward, text_of
from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.site.account.friends import GROUPS, friend_counts, friends_of
from wagtail_referrals.tracking.models import Claim, Visit

SETTINGS = f"{URL}settings/"


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


def rows_of(response: Any) -> list[Any]:
    return BeautifulSoup(response.content, "html.parser").select(".referrals-friends > li")


def open_claim(advocate: Advocate, terms: Any, **values: Any) -> Claim:
    now = timezone.now()
    return Claim.objects.create(
        **{
            "advocate": advocate,
            "terms": terms,
            "source": "link",
            "created_at": now,
            "expires_at": now + timedelta(days=30),
            **values,
        }
    )


def test_every_state_is_in_one_group():
    assert sorted(Referral.State.values) == sorted(state for group in GROUPS.values() for state in group)
    assert sorted(STATES) == sorted(Referral.State.values), (
        "the customers of these tests have friends in each"
    )


def test_who_has_begun_is_a_row_until_the_days_to_order_are_over(camilles_browser, advocate, terms):
    visit = Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    claim = open_claim(advocate, terms, visit=visit)
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    text = " ".join(row.get_text(" ").split())
    assert "Somebody" in text and "invitation saved" in text and "There is time to order until" in text
    assert "Came by your link" in text and "Order not yet" in text
    Claim.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    assert rows_of(camilles_browser.get(FRIENDS)) == []
    Claim.objects.update(expires_at=claim.expires_at, state="replaced")
    assert rows_of(camilles_browser.get(FRIENDS)) == []


def test_an_invitation_becomes_a_friend_and_stays_one_row(camilles_browser, advocate, terms, make_user):
    claim = open_claim(advocate, terms)
    values = {
        "terms": terms,
        "program_key": terms.program_key,
        "advocate": advocate,
        "created_at": timezone.now(),
    }
    Referral.objects.create(claim=claim, friend=make_user("lea"), **values)
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    assert "L…" in row.text and "Somebody" not in row.text


def test_the_steps_of_a_friend_with_their_days(camilles_browser, advocate, terms, make_user):
    now = timezone.now()
    referral = refer(
        advocate,
        terms,
        make_user("lea"),
        state="waiting_period",
        reason="hold",
        hold_until=now + timedelta(days=9),
        registered_at=now,
    )
    Purchase.objects.create(
        reference="P1",
        referral=referral,
        placed_at=now,
        currency="EUR",
        eligible=80,
        total=80,
        watch_until=now,
    )
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    steps = [
        (step.contents[0].strip(), "referrals-done" in step.get("class", []))
        for step in row.select(".referrals-steps-taken li")
    ]
    assert steps == [
        ("Typed your code", True),
        ("Opened an account", True),
        ("Ordered", True),
        ("Reward", False),
    ]
    assert "from " in row.select(".referrals-steps-taken li")[-1].text
    assert row.select_one(".referrals-state").text.startswith("waiting until ")
    assert "P1" not in row.text and "80" not in row.text, "no order, no amount of it"


@pytest.mark.parametrize(("state", "reason"), STATES.items())
def test_every_state_says_why(camilles_browser, advocate, terms, state, reason):
    refer(
        advocate,
        terms,
        state=state,
        reason=reason,
        friend_email_hash="x",
        hold_until=timezone.now() + timedelta(days=5)
        if state in ("waiting_order", "waiting_period")
        else None,
    )
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    why = [note.text for note in row.select_one(".referrals-state").find_next_siblings()]
    expected = {
        "waiting_order": "There is time to order until ",
        "waiting_payment": "Waiting for the delivery of the order",
        "waiting_period": "The reward comes when the waiting period after the order is over.",
        "to_check": "A member of staff will look at it",
        "complete": "The order is below the minimum",
        "refused": "The offer is for new customers, and your friend has ordered before",
        "taken_back": "The order was cancelled",
        "expired": "The order came after the days to order were over",
    }
    if state == "rewarded":
        assert why == []
    else:
        assert len(why) == 1 and why[0].startswith(expected[state])
    # What the check saw may concern the friend.
    assert "address" not in row.text


def test_a_cancelled_order_says_so_and_until_when_there_is_time(camilles_browser, advocate, terms):
    refer(
        advocate,
        terms,
        state="waiting_order",
        reason="cancelled",
        hold_until=timezone.now() + timedelta(days=5),
        friend_email_hash="x",
    )
    text = text_of(camilles_browser.get(FRIENDS))
    assert "The order was cancelled" in text and "There is time to order until" in text


def test_what_is_checked_reads_like_nothing_to_do(camilles_browser, advocate, terms):
    reward(
        refer(advocate, terms, state="to_check", reason="same_address", friend_email_hash="x"),
        state="to_check",
    )
    for page in (URL, FRIENDS):
        (row,) = rows_of(camilles_browser.get(page))
        assert row.select_one(".referrals-state").text == "being checked"
        assert row.select_one(".referrals-amount").text.split() == ["€15.00:", "being", "checked"]


def test_a_reward_with_a_reason_of_its_own_says_it(camilles_browser, advocate, terms):
    referral = refer(advocate, terms, state="rewarded", friend_email_hash="x")
    reward(referral, "0.00", state="refused", reason="cap")
    assert "You have reached the most rewards in this period" in text_of(camilles_browser.get(FRIENDS))


# Names


def test_the_name_is_read_once_both_have_agreed(client, camille, advocate, terms, make_user):
    lea = make_user("leandra", last_name="Martin")
    referral = refer(advocate, terms, lea)

    def camille_reads() -> str:
        client.force_login(camille)
        return text_of(client.get(FRIENDS))

    assert "Leandra" not in camille_reads() and "L…" in camille_reads()
    client.force_login(lea)
    page = text_of(client.get(SETTINGS))
    assert "Camille invited you" in page and "Camille reads of you as “L…”." in page
    show = f"{SETTINGS}name/{referral.pk}/"
    client.post(show, {"agreed": "yes"})
    assert "Camille reads of you as “Leandra”." in text_of(client.get(URL))
    read = camille_reads()
    assert "Leandra" in read and "Martin" not in read and "leandra@" not in read

    Advocate.objects.filter(pk=advocate.pk).update(name_confirmed_at=None)
    assert "Leandra" not in camille_reads(), "who refers has not said what friends read of them"
    client.force_login(lea)
    assert "Camille will read “Leandra” once they have confirmed" in text_of(client.get(URL))
    Advocate.objects.filter(pk=advocate.pk).update(name_confirmed_at=timezone.now())

    client.post(show, {"agreed": "no"})
    referral.refresh_from_db()
    assert referral.name_agreed_at is None and "Leandra" not in camille_reads()


def test_nobody_agrees_for_somebody_else(client, advocate, terms, make_user):
    referral = refer(advocate, terms, make_user("lea"))
    for other in (advocate.user, make_user("paul")):
        client.force_login(other)
        assert client.post(f"{SETTINGS}name/{referral.pk}/", {"agreed": "yes"}).status_code == 404
        assert "Camille invited you" not in text_of(client.get(SETTINGS))
    referral.refresh_from_db()
    assert referral.name_agreed_at is None
    client.logout()
    assert client.post(f"{SETTINGS}name/{referral.pk}/", {"agreed": "yes"}).status_code == 302
    assert client.get(f"{SETTINGS}name/{referral.pk}/").status_code == 302


def test_one_word_holds_for_every_program_of_the_two(client, advocate, terms, make_user):
    lea = make_user("lea")
    first = refer(advocate, terms, lea)
    terms.pk, terms.program_key = None, "5d0c5c5e-6b0f-4d3e-9a55-4d1b3c7a2f10"
    terms.save()
    second = refer(advocate, terms, lea)
    client.force_login(lea)
    assert text_of(client.get(SETTINGS)).count("Camille invited you") == 1
    client.post(f"{SETTINGS}name/{second.pk}/", {"agreed": "yes"})
    agreed = Referral.objects.filter(name_agreed_at__isnull=False)
    assert set(agreed) == {first, second}


def test_an_account_without_a_first_name_has_nothing_to_show(client, advocate, terms, make_user):
    lea = make_user("lea")
    lea.first_name = "lea@example.com"
    lea.save()
    refer(advocate, terms, lea, name_agreed_at=timezone.now())
    client.force_login(lea)
    page = text_of(client.get(SETTINGS))
    assert "Camille reads of you as “A friend”." in page and "my first name" not in page
    client.force_login(advocate.user)
    assert "lea@" not in text_of(client.get(FRIENDS)) and "A friend" in text_of(client.get(FRIENDS))


def test_a_referrer_who_was_deleted_has_no_name(client, advocate, terms, make_user):
    lea = make_user("lea")
    refer(advocate, terms, lea)
    advocate.user.delete()
    client.force_login(lea)
    assert "A friend invited you" in text_of(client.get(SETTINGS))


# Any number


def test_groups_and_their_numbers(camilles_browser, advocate, terms):
    with_friends(advocate, terms, 30)
    counts = friend_counts(advocate)
    assert (counts.total, counts.waiting + counts.rewarded + counts.ended) == (45, 45)
    for group in ("", *GROUPS):
        response = camilles_browser.get(FRIENDS, {"show": group})
        page = response.context["friends"]
        assert page.paginator.count == counts.of(group)
        shown = {friend.state for number in page.paginator.page_range
                 for friend in friends_of(advocate, number, group=group).object_list}  # fmt: skip
        assert shown == (
            GROUPS[group] | ({"open"} if group == "waiting" else set()) if group else {*STATES, "open"}
        )
        (current,) = BeautifulSoup(response.content, "html.parser").select(".referrals-groups [aria-current]")
        assert current.span.text == str(counts.of(group))
    assert len(rows_of(camilles_browser.get(FRIENDS, {"show": "no-such-group"}))) == 20


def test_the_pages_of_a_group_stay_in_it(camilles_browser, advocate, terms):
    with_friends(advocate, terms, 60)
    soup = BeautifulSoup(camilles_browser.get(FRIENDS, {"show": "waiting"}).content, "html.parser")
    link = soup.select_one(".referrals-pages [rel=next]")["href"]
    second = camilles_browser.get(FRIENDS + link.partition("#")[0])
    assert (second.context["group"], second.context["friends"].number) == ("waiting", 2)


def test_the_newest_come_first_and_three_of_them_on_the_overview(camilles_browser, advocate, terms):
    with_friends(advocate, terms, 12)
    shown = [friend.since for friend in friends_of(advocate, 1).object_list]
    assert shown == sorted(shown, reverse=True)
    assert len(rows_of(camilles_browser.get(URL))) == 3


def test_what_reads_the_same_is_said_once(camilles_browser, advocate, terms):
    referral = refer(advocate, terms, state="rewarded", friend_email_hash="x")
    for number, amount in enumerate(("15.00", "15.00", "7.00")):
        row = reward(referral, amount, state="given")
        row.occasion = f"purchase:{1000 + number}"
        row.save()
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    assert [line.text for line in row.select(".referrals-amount > span")] == [
        "€7.00: given",
        "2 × €15.00: given",
    ]


def test_a_friend_who_brings_something_with_every_order_lists_the_latest(camilles_browser, advocate, terms):
    referral = refer(advocate, terms, state="rewarded", friend_email_hash="x")
    for number in range(8):
        row = reward(referral, f"{number}.00", state="given")
        row.occasion = f"purchase:{1000 + number}"
        row.save()
    (row,) = rows_of(camilles_browser.get(FRIENDS))
    amounts = [line.text for line in row.select(".referrals-amount > span")]
    assert amounts[:2] == ["€7.00: given", "€6.00: given"] and amounts[5:] == ["and earlier ones"]


@pytest.mark.parametrize("url", [URL, FRIENDS, REWARDS, SETTINGS])
def test_as_many_queries_for_a_thousand_friends_as_for_a_few(camilles_browser, camille, advocate, terms, url):
    def queries() -> int:
        with CaptureQueriesContext(connection) as found:
            assert camilles_browser.get(url).status_code == 200
        return len(found)

    with_friends(advocate, terms, 9)
    queries()
    few = queries()
    with_friends(advocate, terms, 991, first=9)
    assert queries() == few


def test_no_friend_is_named_to_anybody_by_default(camilles_browser, advocate, terms):
    with_friends(advocate, terms, 20)
    Referral.objects.update(name_agreed_at=None)
    for url in (URL, FRIENDS):
        text = text_of(camilles_browser.get(url))
        assert not [name for name in NAMES if len(name) > 1 and name in text]


def test_by_which_ways_the_link_was_opened(camilles_browser, advocate, terms):
    for channel, number in {"whatsapp": 3, "email": 1, "": 2}.items():
        for _ in range(number):
            Visit.objects.create(advocate=advocate, terms=terms, channel=channel, created_at=timezone.now())
    text = text_of(camilles_browser.get(FRIENDS))
    assert "Your link was opened 6 times." in text
    assert text.index("WhatsApp: 3") < text.index("e-mail: 1")


def test_friends_of_others_are_not_counted(camilles_browser, advocate, terms, make_user):
    with_friends(people.advocate_for(make_user("paul")), terms, 9)
    assert friend_counts(advocate).total == 0 and rows_of(camilles_browser.get(FRIENDS)) == []
