"""The how-to "Give something of your own": its code is taken from the page, and run as a shop would that pasted it."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from django.core import mail
from django.urls import reverse

from tests.admin.forms import values_of
from tests.books import assert_audit_clean
from tests.environment import ROOT
from tests.plainshop import models as plainshop_models
from tests.plainshop.models import Donation
from tests.plainshop.test_chain import DAY, deliver, friend_orders, story
from wagtail_referrals import messages, rewards
from wagtail_referrals.kinds import reward_kinds, triggers
from wagtail_referrals.programs import parse, sentence
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards.models import Reward

pytestmark = pytest.mark.django_db
D = Decimal

PAGE = (ROOT / "docs/how-to/own-reward-kind.md").read_text()
CODE: dict[str, str] = dict(re.findall(r"```python\n# shop/(\w+)\.py\n(.*?)```", PAGE, re.DOTALL))

DONATION: dict[str, Any] = {
    "side": "advocate",
    "trigger": "first_purchase",
    "kind": "donation",
    "amounts": {"EUR": "10.00"},
}


@pytest.fixture
def shop(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, ModuleType]]:
    """The package ``shop`` of the page, its app ready."""
    found: dict[str, ModuleType] = {"models": plainshop_models}
    monkeypatch.setitem(sys.modules, "shop", ModuleType("shop"))
    monkeypatch.setitem(sys.modules, "shop.models", plainshop_models)
    for name, code in CODE.items():
        if name != "models":
            module = ModuleType(f"shop.{name}")
            monkeypatch.setitem(sys.modules, module.__name__, module)
            exec(compile(code, f"own-reward-kind.md, {name}.py", "exec"), module.__dict__)
            found[name] = module
    found["apps"].ShopConfig.ready(None)
    reward_kinds.register(found["charities"].CharityKind())
    triggers.register(found["moments"].SeveralThings())
    yield found
    for key in ("donation", "charity"):
        reward_kinds.unregister(key)
    triggers.unregister("several_things")


def donated() -> list[Decimal]:
    return list(Donation.objects.order_by("pk").values_list("amount", flat=True))


def test_the_page_has_the_code_and_the_shop_its_table():
    assert list(CODE) == ["models", "donations", "apps", "charities", "moments"]
    assert CODE["models"] in (ROOT / "tests/plainshop/models.py").read_text()


def test_a_kind_takes_ten_lines():
    lines = CODE["donations"].partition("class DonationKind")[2].strip().splitlines()
    assert len([line for line in lines if line.strip()]) <= 10


def test_a_donation_is_given_and_taken_back_and_given_again(
    shop, advocate, camille, make_program, basket, now
):
    _, terms, data = make_program([DONATION])
    assert "your customer gets €10.00 for the sea rescue" in sentence(data)
    order = friend_orders(advocate, terms, basket, now)
    deliver(order, now)
    for day in (15, 15, 16):
        rewards.sweep(now=now + day * DAY)
    referral = Referral.objects.get()
    assert donated() == [D(10)]
    for cancelled, expected in ((True, [D(10), D(-10)]), (False, [D(10), D(-10), D(10)])):
        order.cancelled = cancelled
        order.save()
        for _twice in range(2):
            rewards.settle(referral.pk, now=now + 20 * DAY)
        assert donated() == expected
    assert Reward.objects.get().posted == D(10)
    assert_audit_clean()
    messages.deliver_pending(now=now + 20 * DAY)
    assert "€10.00" in mail.outbox[0].subject
    assert "checkout" not in mail.outbox[0].body
    assert "Reward of the referrer taken back, €10.00: the order was cancelled." in story(referral)


def test_the_same_key_twice_is_one_donation(shop, advocate, make_program, basket, now):
    _, terms, _ = make_program([DONATION])
    deliver(friend_orders(advocate, terms, basket, now), now)
    posted = []
    kind = reward_kinds.get("donation")
    original = kind.post
    kind.post = lambda posting: (posted.append(posting), original(posting), original(posting))
    rewards.sweep(now=now + 15 * DAY)
    original(posted[0])
    assert donated() == [D(10)] and len(posted) == 1


def test_a_donation_that_fails_is_tried_again(shop, advocate, make_program, basket, now, monkeypatch):
    _, terms, _ = make_program([DONATION])
    deliver(friend_orders(advocate, terms, basket, now), now)
    kind = reward_kinds.get("donation")
    original = kind.post

    def breaks_halfway(posting: Any) -> None:
        original(posting)
        raise ConnectionError("the charity does not answer")

    monkeypatch.setattr(kind, "post", breaks_halfway)
    rewards.sweep(now=now + 15 * DAY)
    reward = Reward.objects.get()
    assert (reward.state, reward.posted, donated()) == ("failed", 0, [])
    monkeypatch.setattr(kind, "post", original)
    rewards.sweep(now=now + 15 * DAY + DAY / 48)
    assert donated() == [], "half an hour is too soon"
    rewards.sweep(now=now + 15 * DAY + DAY / 24)
    reward.refresh_from_db()
    assert (reward.state, reward.posted, donated()) == ("given", D(10), [D(10)])
    assert Donation.objects.get().key == f"reward:{reward.pk}:1"


@pytest.fixture
def editor(client, make_user):
    client.force_login(make_user("alix", is_superuser=True, is_staff=True))
    return client


def written(editor: Any, **changes: str) -> dict[str, str]:
    path = reverse("wagtail_referrals_programs:add")
    values = values_of(editor.get(path, {"preset": "give_percent_get_credit"}).content.decode())
    assert set(changes) <= set(values), "the form has other fields"
    return values | changes


def test_an_editor_chooses_it(shop, editor):
    html = editor.get(reverse("wagtail_referrals_programs:add"), {"preset": "empty"}).content.decode()
    assert "Donation to the sea rescue" in html
    values = written(editor, **{"rules-1-kind": "donation", "rules-1-amounts_EUR": "10"})
    said = editor.post(reverse("wagtail_referrals_programs:sentence"), values).json()["sentence"]
    assert "your customer gets €10.00 for the sea rescue" in said
    path = reverse("wagtail_referrals_programs:add")
    assert editor.post(path, values | {"action-publish": "1"}).status_code == 302
    assert parse(Terms.objects.get()).rules[1].kind == "donation"


def test_an_editor_chooses_the_charity_and_the_moment(shop, editor, advocate, basket, now):
    values = written(
        editor,
        **{
            "rules-1-kind": "charity",
            "rules-1-option_charity": "trees",
            "rules-1-trigger": "several_things",
            "rules-1-option_things": "3",
        },
    )
    path = reverse("wagtail_referrals_programs:add")
    missing = editor.post(path, values | {"rules-1-option_things": "", "action-publish": "1"})
    assert missing.status_code == 200 and "This field is required." in missing.content.decode()
    assert editor.post(path, values | {"action-publish": "1"}).status_code == 302
    terms = Terms.objects.get()
    words = "has ordered 3 things at once, your customer gets €15.00 for the tree planters"
    assert words in sentence(parse(terms))
    # Renamed since: the terms say what they said.
    shop["charities"].CHARITIES["trees"] = "somebody else"
    assert words in sentence(parse(Terms.objects.get()))

    for number, quantity in (("1", 2), ("2", 3)):
        order = friend_orders(
            advocate, terms, basket, now, number=number, email=f"friend{number}@example.com", goods="50"
        )
        Purchase.objects.filter(reference=number).update(lines=[{"line": 1, "quantity": quantity}])
        deliver(order, now)
    rewards.sweep(now=now + 15 * DAY)
    assert donated() == [D(15)]
    assert Reward.objects.get(kind="charity").referral.purchases.get().reference == "2"
