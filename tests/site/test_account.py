"""The page "Refer a friend" in the customer's account."""

from __future__ import annotations

import html
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from wagtail_referrals import credit, people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.referrals.reasons import REASONS, reason_for_advocate
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site.account import NameForm, why_words
from wagtail_referrals.tracking.models import Claim, Visit

URL = "/en/account/refer-a-friend/"
FRIENDS = f"{URL}friends/"
REWARDS = f"{URL}rewards/"


@pytest.fixture
def camilles_browser(client, camille):
    client.force_login(camille)
    return client


def text_of(response) -> str:
    return html.unescape(response.content.decode())


def refer(advocate, terms, friend=None, *, now=None, **values) -> Referral:
    moment = now or timezone.now()
    claim = Claim.objects.create(
        advocate=advocate,
        terms=terms,
        source="code",
        created_at=moment,
        expires_at=moment + timedelta(days=30),
    )
    return Referral.objects.create(
        terms=terms,
        program_key=terms.program_key,
        advocate=advocate,
        claim=claim,
        friend=friend,
        created_at=moment,
        **values,
    )


def reward(referral, amount="15.00", **values) -> Reward:
    rule = referral.terms.data["rules"][1]
    return Reward.objects.create(
        referral=referral,
        terms=referral.terms,
        rule_key=rule["key"],
        side="advocate",
        occasion=f"purchase:{referral.pk}",
        advocate=referral.advocate,
        kind="credit",
        currency="EUR",
        amount=Decimal(amount),
        created_at=referral.created_at,
        **values,
    )


def test_it_is_for_customers_only(client, db):
    response = client.get(URL)
    assert response.status_code == 302 and "login" in response.url and not Advocate.objects.exists()


def test_before_the_first_share_the_customer_sees_what_friends_will_see(camilles_browser, terms):
    response = camilles_browser.get(URL)
    text = text_of(response)
    assert response.status_code == 200 and 'value="Camille"' in text
    code = people.code_of(Advocate.objects.get())
    assert code not in text and "<referral-share" not in text


def test_what_goes_to_somebody_else_does_not_read_as_credit(camilles_browser, advocate, terms):
    terms.data["rules"][1] |= {"kind": "sea_rescue", "amounts": {"EUR": "3.00"}}
    terms.save()
    given = reward(refer(advocate, terms, state="rewarded"), "3.00", state="given")
    given.kind = "sea_rescue"
    given.save()
    assert "€3.00 for the sea rescue: given" in text_of(camilles_browser.get(URL))


def test_an_order_that_never_happened_is_no_reward_refused(camilles_browser, advocate, terms):
    referral = refer(advocate, terms, state="rewarded")
    reward(referral, "0.00", state="refused", reason="cancelled")
    assert "refused" not in text_of(camilles_browser.get(URL))
    Reward.objects.update(reason="cap")
    assert "refused" in text_of(camilles_browser.get(URL))


def test_after_one_step_there_is_the_link(camilles_browser, terms, link):
    Advocate.objects.update(name_confirmed_at=None)
    response = camilles_browser.post(URL, {"public_name": "  Camille   B. "}, follow=True)
    text = text_of(response)
    advocate = Advocate.objects.get()
    assert advocate.public_name == "Camille B." and advocate.name_confirmed_at is not None
    assert f"http://testserver{link}?via=copy" in text and "Camille B. invites you" in text
    assert people.code_of(advocate) in text


def test_the_name_can_be_changed_and_friends_see_it_at_once(camilles_browser, advocate, terms, link):
    assert "Camille invites you" in text_of(
        camilles_browser.__class__(headers={"accept-language": "en"}).get(link)
    )
    camilles_browser.post(URL, {"public_name": "Cam"})
    assert "Cam invites you" in text_of(
        camilles_browser.__class__(headers={"accept-language": "en"}).get(link)
    )


def test_no_name_is_a_name_too(camilles_browser, terms):
    text = text_of(camilles_browser.post(URL, {"public_name": ""}, follow=True))
    assert "A friend invites you" in text and "<referral-share" in text


@pytest.mark.parametrize(
    "name", ["me@example.com", "https://example.com", "www.example.com", "a\u202eb", "Buy at t.co", "x" * 41]
)
def test_what_is_no_name_is_refused_kindly(name, camilles_browser, terms):
    response = camilles_browser.post(URL, {"public_name": name})
    assert response.status_code == 200 and response.context["name_form"].errors
    assert Advocate.objects.get().name_confirmed_at is None


@pytest.mark.parametrize(
    ("first_name", "expected"),
    [
        ("Camille", "Camille"),
        ("J. P.", "J. P."),
        ("me@example.com", ""),
        ("Win at shop.example", ""),
        ("shop.example/x", ""),
    ],
)
def test_no_link_is_proposed_as_a_name(make_user, first_name, expected):
    """It would stand in mails to addresses that anybody may give."""
    user = make_user("nina")
    user.first_name = first_name
    user.save()
    assert people.advocate_for(user).public_name == expected


def test_the_form_shows_the_refused_name_and_keeps_the_old_one_everywhere_else(
    camilles_browser, advocate, terms
):
    response = camilles_browser.post(URL, {"public_name": "me@example.com"})
    assert "me@example.com invites you" not in text_of(response)


def test_a_line_break_in_a_name_becomes_a_blank(advocate):
    form = NameForm({"public_name": "Ca\nmille"}, instance=advocate)
    assert form.is_valid() and form.cleaned_data["public_name"] == "Ca mille"


def test_empty_states(camilles_browser, advocate, terms):
    text = text_of(camilles_browser.get(URL))
    assert "Nobody has come by your link yet." in text and "Nothing yet. What you earn, you see here." in text
    assert "You have no credit yet." in text_of(camilles_browser.get(REWARDS))
    Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())
    for url in (URL, FRIENDS):
        assert "Nobody has ordered yet." in text_of(camilles_browser.get(url))
    assert "Your link was opened 1 time." in text_of(camilles_browser.get(FRIENDS))


def test_without_a_program_there_is_nothing_to_share(camilles_browser, advocate):
    text = text_of(camilles_browser.get(URL))
    assert "There is no offer for new friends at the moment." in text and "<referral-share" not in text


def test_friends_are_masked_and_say_what_they_wait_for(camilles_browser, advocate, terms, make_user):
    lea = make_user("leandra", last_name="Martin")
    until = timezone.now() + timedelta(days=3)
    waiting = refer(advocate, terms, lea, state="waiting_period", reason="hold", hold_until=until)
    reward(waiting, due_at=until)
    refer(advocate, terms, state="refused", reason="existing_customer", friend_email_hash="x")
    text = text_of(camilles_browser.get(URL))
    assert "L…" in text
    for secret in ("Leandra", "leandra", "Martin", "leandra@example.com"):
        assert secret not in text
    from django.utils.formats import date_format

    assert f"until {date_format(timezone.localtime(until), 'DATE_FORMAT')}" in text
    assert "€15.00: waiting" in text
    assert "The offer is for new customers, and your friend has ordered before" in text


def test_why_words(advocate, terms):
    assert why_words(refer(advocate, terms, state="rewarded", reason="hold")) == []
    (line,) = why_words(refer(advocate, terms, state="waiting_order", reason="order"))
    assert "first order" in line


def test_reasons_speak_to_the_customer(advocate, terms):
    (line,) = why_words(refer(advocate, terms, state="refused", reason="cap"))
    assert line.startswith("You have reached")
    for code in REASONS:
        assert "referrer" not in reason_for_advocate(code)


def test_mails_follow_the_language_of_this_page(camilles_browser, advocate, terms, link):
    camilles_browser.get("/fr/account/refer-a-friend/")
    advocate.refresh_from_db()
    assert advocate.language == "fr"
    assert people.find_code(people.code_of(advocate)).language == "fr"


def test_only_ones_own_friends(camilles_browser, advocate, terms, make_user):
    other = people.advocate_for(make_user("paul"))
    refer(other, terms, make_user("zoe"))
    assert "Z…" not in text_of(camilles_browser.get(URL))


def test_the_balance_with_its_history(camilles_browser, camille, advocate, terms):
    soon = timezone.now() + timedelta(days=20)
    credit.grant(user=camille, currency="EUR", amount=Decimal(15), key="a", expires_at=soon)
    credit.grant(user=camille, currency="EUR", amount=Decimal(7), key="b")
    credit.reserve(user=camille, currency="EUR", amount=Decimal(5), order_number="100", expires_at=soon)
    credit.claw_back(user=camille, currency="EUR", amount=Decimal(30), key="c")
    response = camilles_browser.get(REWARDS)
    (balance,) = response.context["balances"]
    assert balance.available == "€0.00" and balance.reserved == "€5.00" and balance.shortfall == "€13.00"
    gains = [movement.amount for movement in balance.movements.object_list if movement.is_gain]
    assert gains == ["+€7.00", "+€15.00"]
    assert "Still to recover: €13.00" in text_of(response)


@pytest.mark.parametrize("page", ["0", "-1", "x", "99999999999999999999", "", "\x00"])
def test_a_page_that_is_none_shows_one(page, camilles_browser, advocate, terms):
    refer(advocate, terms, friend_email_hash="x")
    for url in (URL, FRIENDS, REWARDS):
        assert (
            camilles_browser.get(url, {"page": page, "movements-EUR": page, "show": page}).status_code == 200
        )


def test_it_stands_in_the_shops_account_section(camilles_browser, terms):
    response = camilles_browser.get(URL)
    assert "oscar/customer/baseaccountpage.html" in [template.name for template in response.templates]
    assert "<h1>" in text_of(response) and "Refer a friend" in text_of(response)


def test_in_french_too(camilles_browser, advocate, terms):
    response = camilles_browser.get(URL.replace("/en/", "/fr/"))
    assert response.status_code == 200 and 'lang="fr"' in text_of(response)


def test_a_guest_who_registers_finds_their_code(client, make_user, terms):
    guest = people.advocate_for_guest("nina@example.com")
    code = people.code_of(guest)
    nina = make_user("nina")
    client.force_login(nina)
    client.post(URL, {"public_name": "Nina"})
    assert code in text_of(client.get(URL)) and Advocate.objects.count() == 1


def test_a_program_that_closes_keeps_history(camilles_browser, advocate, terms):
    refer(advocate, terms, state="rewarded", friend_email_hash="x")
    Program.objects.all().delete()
    text = text_of(camilles_browser.get(URL))
    assert 'data-state="rewarded"' in text
