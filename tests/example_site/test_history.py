"""`seed_history`: three months of the example shop, lived through once for all tests of this module."""

from __future__ import annotations

from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
import time_machine
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command
from django.db import connection
from django.test import Client
from django.utils import timezone, translation
from oscar.core.loading import get_model
from wagtail.models import Page

from example_site.giving.models import Pledge
from example_site.pages.models import HomePage
from example_site.seed.clock import MovingClock
from example_site.seed.letters import FIRST_MONTH
from example_site.seed.visitor import LAPTOP, ROBOTS
from tests.books import assert_audit_clean
from tests.credit.audit import assert_books_agree
from tests.example_site.story import LONGEST, NOW
from wagtail_referrals import credit, people
from wagtail_referrals.credit.models import Account, Entry
from wagtail_referrals.feedback.models import FeedbackSubmission
from wagtail_referrals.messages.compose import compose
from wagtail_referrals.messages.kinds import Urgency, message_kinds
from wagtail_referrals.messages.models import Enrollment, Message, MessageText, Preferences, Sequence
from wagtail_referrals.programs import TermsData, friend_gets, pick_terms
from wagtail_referrals.programs.models import Program
from wagtail_referrals.programs.states import program_states
from wagtail_referrals.recognition import badges_of, feature_of, leaderboard, wall
from wagtail_referrals.recognition.models import BadgeAward
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward, SweepRun
from wagtail_referrals.site.milestones import milestones_of
from wagtail_referrals.tracking.models import Claim, Lead, Share, Visit

# In one process of several: each would live the three months again.
pytestmark = pytest.mark.xdist_group("history")

D = Decimal
Order = get_model("order", "Order")
Product = get_model("catalogue", "Product")
User = get_user_model()


def user(name: str) -> Any:
    return User.objects.get(email=f"{name}@example.com")


def test_every_state_of_a_referral_can_be_seen(lived: str) -> None:
    seen = set(Referral.objects.values_list("state", "reason"))
    assert seen >= {
        ("waiting_order", "order"),
        ("waiting_payment", "payment"),
        ("waiting_payment", "delivery"),
        ("waiting_period", "hold"),
        ("waiting_period", "account"),
        ("to_check", "same_address"),
        ("to_check", "a throw-away e-mail address"),
        ("to_check", "five or more of one article"),
        ("rewarded", ""),
        ("complete", "cap"),
        ("refused", "own_link"),
        ("refused", "existing_customer"),
        ("refused", "reviewer"),
        ("taken_back", "refunded"),
        ("expired", "window"),
    }
    assert {state for state, _reason in seen} == set(Referral.State.values)
    assert Reward.objects.filter(state="reduced", reason="partly_refunded").exists()
    assert set(Claim.objects.values_list("state", flat=True)) >= {"lapsed", "used"}
    assert Claim.objects.filter(source="code").exists()
    # After a cancelled order the discount was given once more, and used.
    assert DiscountGrant.objects.filter(issue=1, state="used").exists()


def test_several_are_held_by_several_checks(lived: str, client: Client) -> None:
    client.force_login(user("reviewer"))
    page = client.get("/admin/referrals/review/").content.decode()
    assert "6 referrals are to be checked" in lived
    assert page.count("data-bulk-action-checkbox") == 6
    for words in (
        "Same address: the order goes to an address of the referrer",
        "Throw-away address: a throw-away e-mail address",
        "Many of one article: five or more of one article",
    ):
        assert page.count(words) == 2 + (words.startswith("Same")), words
    several = Referral.objects.filter(state="to_check")
    assert sorted(each.decisions.filter(outcome="hold").count() for each in several) == [1, 1, 1, 1, 1, 2]


def test_waiting_periods_end_soon_and_in_some_days(lived: str) -> None:
    held = Referral.objects.filter(state="waiting_period", reason="hold").order_by("hold_until")
    ends = [referral.hold_until - NOW for referral in held]
    assert timedelta(minutes=10) <= ends[0] < timedelta(minutes=11)
    assert all(timedelta(days=3) < end < timedelta(days=12) for end in ends[1:])
    assert len(ends) >= 3


def test_every_state_of_a_program_can_be_seen(lived: str) -> None:
    programs = list(Program.objects.all())
    states = program_states(programs, now=NOW)
    assert Counter(str(state) for state in states.values()) == {
        "open": 6,
        "draft": 1,
        "expired": 1,
        "used_up": 1,
    }
    assert all(program.latest_revision.user == user("editor") for program in programs)
    assert "Give 10%, get €15" in [program.name for program in programs]
    for program in programs:
        words = {text.language: text.headline for text in program.texts.all()}
        assert words["en"] != words["fr"]
    used_up = next(program for program in programs if states[program.pk] == "used_up")
    assert Referral.objects.filter(program_key=used_up.key).count() == 3, "a program for three friends"


def test_credit_was_spent_is_there_to_spend_and_is_to_be_recovered(lived: str) -> None:
    assert credit.available(user("camille"), "EUR") >= D("15.00")
    noe = Account.objects.get(user=user("noe"))
    assert (noe.balance, noe.shortfall) == (D("0.00"), D("15.00"))
    paid = {
        frozenset(order.sources.values_list("source_type__code", flat=True)) for order in Order.objects.all()
    }
    assert paid == {
        frozenset({"card"}),
        frozenset({"card", "referral-credit"}),
        frozenset({"referral-credit"}),
    }
    assert_books_agree()


def test_the_shops_own_audit_finds_nothing(lived: str) -> None:
    assert_audit_clean(now=NOW + LONGEST)


def offered_by(name: str) -> TermsData:
    found = pick_terms(site_id=None, user_id=user(name).pk)
    assert found is not None
    return found.data


def test_each_customer_offers_the_first_program_that_is_for_them(lived: str) -> None:
    names = ("gaelle", "mathis", "maud", "erwan", "julie.perrot", "pauline.rousseau", "camille", "lea")
    found = {name: (offered_by(name).audience, friend_gets(offered_by(name))) for name in names}
    eight, block = "€8.00 off one order (from €40.00)", "a free “Cork block” (from €25.00) and 5 leaves"
    assert found == {
        # She has a membership, too.
        "gaelle": ("Regulars", eight),
        "mathis": ("Regulars", eight),
        "maud": ("Members", "10% off one order"),
        "erwan": ("Members", "10% off one order"),
        "julie.perrot": ("Came as a friend", block),
        "pauline.rousseau": ("Came as a friend", block),
        "camille": ("", "10% off one order"),
        "lea": ("", "10% off one order"),
    }


def test_milestones_are_under_way_reached_and_used(lived: str) -> None:
    stands = {}
    for name in ("gaelle", "mathis", "rozenn"):
        assert credit.available(user(name), "EUR") == D("10.00"), "for the first friend"
        found = milestones_of(people.find_advocate(user(name)), offered_by(name))
        assert found is not None
        stands[name] = (found.count, found.goal)
    assert stands == {"gaelle": (2, 3), "mathis": (3, 5), "rozenn": (5, 0)}
    assert {name: [badge.name for badge in badges_of(user(name))] for name in stands} == {
        "gaelle": ["First friend"],
        "mathis": ["First friend", "Three of us"],
        "rozenn": ["Good company", "First friend", "Three of us"],
    }
    with translation.override("fr"):
        assert [badge.name for badge in badges_of(user("rozenn"))] == [
            "Bonne compagnie",
            "Premier proche",
            "Nous voilà trois",
        ]


def test_who_refers_is_named_only_where_they_agreed(lived: str) -> None:
    classic = pick_terms(site_id=None)
    assert classic is not None
    board = leaderboard(classic.program_key, size=5)
    assert [row.name for row in board.rows] == ["Camille", "Inès"]
    assert [thanks.name for thanks in wall("fr")] == ["Inès", "Rozenn"]
    assert wall("fr")[1].text.startswith("Cinq proches")
    asked = feature_of(people.find_advocate(user("camille")))
    assert asked is not None and asked.agreed_at is None and asked.declined_at is None


def test_the_first_friend_of_the_program_has_one_badge(lived: str) -> None:
    pioneers = BadgeAward.objects.filter(badge__names__name="Pioneer", taken_back_at=None)
    assert [award.advocate.public_name for award in pioneers] == ["Camille"]


def test_people_say_what_they_think_and_what_is_missing(lived: str) -> None:
    assert FeedbackSubmission.objects.count() == 8
    assert set(FeedbackSubmission.objects.values_list("side", flat=True)) == {"advocate", "friend"}
    reported = AttributionRequest.objects.get(kind="reported")
    assert reported.advocate == people.find_advocate(user("noe"))
    assert reported.state == AttributionRequest.State.WAITING
    assert Lead.objects.count() == 2
    assert Share.objects.filter(advocate=people.find_advocate(user("camille"))).count() == 5
    mats = {grant.user.first_name: grant for grant in DiscountGrant.objects.filter(claim=None)}
    assert {name: grant.state for name, grant in mats.items()} == {"Mathis": "used", "Rozenn": "issued"}
    order = Order.objects.get(number=mats["Mathis"].used_reference)
    prices = {line.upc: line.line_price_incl_tax for line in order.lines.all()}
    assert prices == {"TEA": D("12.00"), "MAT-DAWN": D("0.00")}


def test_a_share_of_what_friends_buy_expires_and_was_announced(lived: str) -> None:
    account = Account.objects.get(user=user("maud"))
    assert account.balance == D("4.05")
    expired = account.entries.filter(kind="expire").values_list("amount", flat=True)
    assert sorted(expired) == [D("-3.10"), D("-2.57"), D("-2.40")]
    told = Message.objects.filter(kind="credit_expiring", user=user("maud"), state="sent")
    assert sorted((each.data["amount"], each.data["step"]) for each in told) == [
        ("10.67", 30),
        ("2.40", 7),
        ("2.40", 30),
        ("4.05", 30),
        # She had spent a part of it.
        ("5.67", 7),
    ]
    refused = Reward.objects.filter(user=user("maud"), state="refused")
    assert list(refused.values_list("reason", flat=True)) == ["friend_cap"]


def test_a_line_given_back_takes_its_share_and_the_next_friend_makes_up_for_it(lived: str) -> None:
    erwan = Account.objects.get(user=user("erwan"))
    assert (erwan.balance, erwan.shortfall) == (D("3.38"), D("0.00"))
    rewards = Reward.objects.filter(user=user("erwan")).order_by("pk")
    assert [(reward.state, reward.posted) for reward in rewards] == [
        # 20 % of the workshop that was given back; 5 % of the bolster that was not.
        ("taken_back", D("0.00")),
        ("reduced", D("2.84")),
        ("given", D("8.10")),
        ("given", D("4.05")),
    ]
    recovered = erwan.entries.filter(kind="recovery").values_list("amount", flat=True)
    assert sum(recovered, D(0)) == D("-8.77")


def test_a_free_block_is_used_left_out_and_given_again(lived: str) -> None:
    grants = DiscountGrant.objects.filter(kind="free_product").exclude(claim=None)
    used = Order.objects.filter(number__in=grants.exclude(used_reference="").values("used_reference"))
    assert Counter(used.values_list("status", flat=True)) == {"Shipped": 3, "Cancelled": 1}
    for order in used:
        assert order.lines.get(upc="BLOCK-CORK").line_price_incl_tax == D("0.00")
    again = grants.get(issue=1)
    assert (again.state, again.claim.discounts.get(issue=0).state) == ("used", "used")
    # Nolwenn took it out of her basket and ordered without it; Lise has it in hers.
    nolwenn = Order.objects.get(shipping_address__first_name="Nolwenn")
    assert [line.upc for line in nolwenn.lines.all()] == ["CANDLE"]
    assert Referral.objects.get(purchases__reference=nolwenn.number).state == "rewarded"
    assert Claim.objects.filter(state="open", discounts__kind="free_product").count() == 1


def test_leaves_are_no_money_and_the_sea_rescue_has_its_share(lived: str, client: Client) -> None:
    accounts = Account.objects.filter(currency="LEAVES")
    leaves = {account.user.first_name: account.balance for account in accounts}
    assert leaves == {"Julie": D(60), "Pauline": D(70), "Arthur": D(5), "Ewen": D(5)}
    assert credit.available(user("pauline.rousseau"), "EUR") == 0
    assert Pledge.total("EUR") == D("12.00")
    assert Pledge.objects.count() == Reward.objects.filter(kind="sea_rescue", state="given").count() == 4
    for address, words in (("/en/studio/", "€12.00"), ("/fr/le-studio/", "12,00 €")):
        page = client.get(address).content.decode()
        assert words in page.replace("\xa0", " ").replace("\u202f", " ")
    client.force_login(user("editor"))
    page = client.get("/admin/reports/pledges/").content.decode()
    assert page.count("€3.00") == 4
    assert "€12.00" in page
    assert 'name="q"' not in page, "the shop's own search does not belong there"
    client.force_login(user("camille"))
    assert client.get("/admin/reports/pledges/").status_code == 302


def test_the_editor_said_sorry_with_a_note(lived: str) -> None:
    ines = Account.objects.get(user=user("ines"))
    note = people.corrections_of([ines.pk]).get()
    assert (note.user, note.data["amount"]) == (user("editor"), "5.00")
    assert "apologies" in note.data["note"]
    assert ines.entries.get(kind="adjust").amount == D("5.00")


def test_robots_are_no_visits(lived: str, story: Any) -> None:
    agents = story[2]
    robots = [agent for agent in agents if agent in ROBOTS.values()]
    assert len(robots) > 10
    assert Visit.objects.count() == len(agents) - len(robots) > 60
    assert len(set(Visit.objects.values_list("channel", flat=True))) > 6


def test_everything_happened_when_the_clock_says(lived: str) -> None:
    begin = NOW - timedelta(days=93)
    for queryset, name in (
        (Order.objects, "date_placed"),
        (get_model("order", "OrderStatusChange").objects, "date_created"),
        (get_model("order", "PaymentEvent").objects, "date_created"),
        (get_model("basket", "Basket").objects, "date_created"),
        (Visit.objects, "created_at"),
        (Referral.objects, "created_at"),
        (Reward.objects, "created_at"),
        (Entry.objects, "created_at"),
        (TimelineEvent.objects, "created_at"),
        (Message.objects, "created_at"),
        (Message.objects.filter(state=Message.State.SENT), "sent_at"),
        (SweepRun.objects, "started_at"),
    ):
        moments = list(queryset.order_by("pk").values_list(name, flat=True))
        assert moments, name
        assert begin < min(moments), queryset.model
        assert max(moments) < NOW + LONGEST, queryset.model
    placed = list(Order.objects.order_by("pk").values_list("date_placed", flat=True))
    assert placed == sorted(placed)
    assert placed[-1] - placed[0] > timedelta(days=85)


def test_orders_come_by_links_and_without_and_their_mails_are_sent(lived: str) -> None:
    assert Order.objects.count() > Purchase.objects.count() + 8
    assert set(Order.objects.values_list("status", flat=True)) == {
        "Pending",
        "Paid",
        "Shipped",
        "Cancelled",
        "Refunded",
    }
    told = set(Message.objects.filter(state=Message.State.SENT).values_list("kind", flat=True))
    assert told >= {
        "reward_given",
        "reward_taken_back",
        "invitation_kept",
        "credit_expiring",
        "membership_renews",
        "membership_renewed",
        "membership_declined",
        "membership_ended",
        "welcome",
        "friend_ordered",
        "reward_waiting",
        "sequence",
    }, told
    # Some wait for the morning, and some were not wanted.
    others = set(Message.objects.exclude(state=Message.State.SENT).values_list("state", "reason"))
    assert others <= {("pending", ""), ("dropped", "not_due"), ("dropped", "unwanted")}, others


def test_the_pages_are_there_in_both_languages_and_found(lived: str) -> None:
    camille = people.share_path(people.code_of(people.find_advocate(user("camille"))))
    for language, words, hub in (
        ("en", "Camille invites you to breathe in", "/en/refer-a-friend/"),
        ("fr", "Camille vous invite à souffler", "/fr/parrainage/"),
    ):
        client = Client(headers={"accept-language": language, "user-agent": LAPTOP})
        assert words in client.get(camille).content.decode()
        assert client.get(hub).status_code == 200
        home = client.get(f"/{language}/").content.decode()
        assert home.count(f'href="{hub}"') >= 3, "menu, footer and a picture of the home page"
    assert Visit.objects.filter(created_at__gte=NOW + LONGEST).count() == 2


def test_a_product_can_be_recommended_from_its_page(lived: str, client: Client) -> None:
    path = Product.objects.browsable().earliest("pk").get_absolute_url()
    assert "Recommend it to a friend" in client.get(path).content.decode()
    client.force_login(user("camille"))
    assert f"to={path}" in client.get(path).content.decode()


def test_a_second_run_says_so_and_changes_nothing(lived: str) -> None:
    def counts() -> dict[str, int]:
        tables = connection.introspection.table_names()
        with connection.cursor() as cursor:
            found = {}
            for table in tables:
                cursor.execute(f'SELECT COUNT(*) FROM "{table}"')
                found[table] = cursor.fetchone()[0]
        return found

    before = counts()
    out = StringIO()
    call_command("seed_history", stdout=out)
    assert "The history is there." in out.getvalue()
    assert counts() == before


def test_seeding_the_shop_again_leaves_alone_what_the_editor_wrote(lived: str, small_pictures: None) -> None:
    home = HomePage.objects.get(locale__language_code="fr")
    home.title = "Studio Souffle, Nantes"
    home.save_revision(user=user("editor")).publish()
    call_command("seed_shop", verbosity=0)
    assert Page.objects.get(pk=home.pk).title == "Studio Souffle, Nantes"
    assert "/fr/parrainage/" in Client().get("/fr/").content.decode()


def test_it_says_who_has_what(lived: str) -> None:
    code = people.code_of(people.find_advocate(user("camille")))
    assert f"/r/{code}/  Camille (€39.03 to spend)" in lived
    assert "Noé (€15.00 still to recover)" in lived
    assert "lea@example.com, jade@example.com" in lived
    assert "gaelle@example.com, in “Regulars” (€10.00, 2 of 3 friends)" in lived
    assert "rozenn@example.com, in “Regulars” (€10.00, all milestones reached)" in lived
    assert "maud@example.com, in “Members” (€4.05)" in lived
    assert "julie.perrot@example.com, in “Came as a friend” (60 leaves)" in lived
    for order in Order.objects.filter(status="Pending"):
        assert f"/en/dashboard/orders/{order.number}/  Pending; mark it as paid, then as shipped" in lived
    assert "20 January at 00:30 (a friend of Camille)" in lived


def test_half_a_history_is_not_taken_for_one(shop: None) -> None:
    Program.objects.create(name="Somebody's own", live=True)
    with pytest.raises(CommandError, match="new database"):
        call_command("seed_history", verbosity=0)


def test_the_clock_lets_nights_pass_and_never_goes_back(db: None) -> None:
    from django.utils import timezone

    clock = MovingClock(NOW)
    seen: list[datetime] = []

    def slow() -> None:
        seen.append(timezone.now())
        clock.plan(clock.moment(2, "09:00"), lambda: seen.append(timezone.now()))

    clock.plan(clock.moment(3, "10:00"), slow)
    clock.plan(clock.moment(1, "12:00"), lambda: seen.append(timezone.now()))
    clock.plan(NOW + timedelta(hours=1), lambda: seen.append(timezone.now()))
    days: list[Any] = []
    with time_machine.travel(NOW, tick=False):
        clock.run(days.append)
    assert [f"{moment:%d %H:%M}" for moment in seen] == ["17 09:00", "18 08:00", "19 11:00"]
    assert [day.day for day in days] == [18, 19]
    nights = SweepRun.objects.order_by("started_at").values_list("started_at", flat=True)
    # Every night at the very moment: a step two days later is due in the second night, not sometimes in the third.
    assert [f"{moment:%d %H:%M:%S.%f}" for moment in nights] == [
        "18 02:30:00.000000",
        "19 02:30:00.000000",
        "19 23:20:00.000000",
    ]


def test_what_happens_after_midnight_leaves_the_night_to_come(db: None) -> None:
    clock = MovingClock(NOW)
    clock.plan(clock.moment(3, "10:00"), lambda: None)
    clock.plan(clock.moment(2, "01:15"), lambda: None)
    clock.plan(clock.moment(1, "12:00"), lambda: None)
    with time_machine.travel(NOW, tick=False):
        clock.run(lambda day: None)
    nights = SweepRun.objects.order_by("started_at").values_list("started_at", flat=True)
    assert [f"{moment:%d %H:%M}" for moment in nights] == ["18 02:30", "19 02:30", "19 23:20"]


# Messages

AT_ONCE = [kind.key for kind in message_kinds if kind.urgency == Urgency.AT_ONCE]


def test_the_ready_made_sequence_runs_over_the_friends(lived: str) -> None:
    sequence = Sequence.objects.get()
    assert sequence.live and sequence.steps.count() == 5
    people_in_it = Enrollment.objects.filter(sequence=sequence)
    states = Counter(people_in_it.values_list("state", flat=True))
    # Who has become a member, and who is on the way.
    assert states["reached"] >= 3 and states["running"] >= 1, states
    sent = Message.objects.filter(kind="sequence", state=Message.State.SENT)
    assert {str(step) for step in sent.values_list("step", flat=True)} >= {
        str(step.key) for step in sequence.steps.order_by("sort_order")[:2]
    }
    assert not Message.objects.filter(state__in=[Message.State.FAILED, Message.State.UNSURE]).exists()


def test_what_the_sequence_offers_can_be_used(lived: str) -> None:
    voucher = get_model("voucher", "Voucher").objects.get(code=FIRST_MONTH)
    assert voucher.is_active()
    texts = MessageText.objects.filter(template__kind="sequence")
    assert {text.language for text in texts if FIRST_MONTH in str(text.body)} == {"en", "fr"}
    assert not [text for text in texts if "[CODE]" in str(text.body) + text.subject]


def test_nothing_is_sent_at_night(lived: str) -> None:
    zone = timezone.get_default_timezone()
    for message in Message.objects.filter(state=Message.State.SENT).exclude(kind__in=AT_ONCE):
        hour = message.sent_at.astimezone(zone).hour
        assert 8 <= hour < 21, (message.kind, message.sent_at)


def test_one_customer_has_said_what_she_does_not_want(lived: str) -> None:
    (kept,) = Preferences.objects.all()
    assert kept.user == user("ines") and kept.unwanted == ["remind_friend"]


def test_the_welcome_is_in_the_words_of_the_studio(lived: str) -> None:
    welcome = Message.objects.filter(kind="welcome", state=Message.State.SENT).select_related("user").first()
    assert welcome is not None
    assert "Anna" in compose(welcome, welcome.user).text
