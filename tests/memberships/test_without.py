"""Memberships are optional: taken out of the settings, with their rows still there, they leave the rest working."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from oscar_integration.memberships.kind import plan_options
from oscar_integration.memberships.models import Membership, Period
from oscar_integration.memberships.triggers import BuysMembership
from tests.killing import in_a_process
from tests.memberships.rows import make_plan, make_user
from tests.memberships.shopping import make_sold_plan, pay, place
from tests.oscar_integration.conftest import france  # noqa: F401  (pytest finds it by its name)
from tests.oscar_integration.shopping import create_order, make_product, make_program
from tests.oscar_integration.test_vouchers import claimed
from wagtail_referrals import people
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import sweep
from wagtail_referrals.rewards.models import Reward

SETTINGS = "tests.memberships.without.settings"


@pytest.mark.django_db(transaction=True)
def test_everything_else_goes_on_without_the_app(france: Any, monkeypatch: pytest.MonkeyPatch) -> None:  # noqa: F811
    camille, lea = make_user("camille@example.com"), make_user("lea@example.com")
    plan, trial = make_sold_plan(), make_plan("trial", is_trial=True, uses=1, gift_only=True)
    trigger = BuysMembership()
    give = {"kind": "membership", "options": plan_options(trial)}
    terms = make_program(
        [
            {"side": "friend", "trigger": "arrives"} | give,
            {
                "side": "advocate",
                "trigger": trigger.key,
                "kind": "membership",
                "options": trigger.freeze_options({"bought_plans": [], "bought_plans_orders": "each"})
                | plan_options(plan),
            },
            {
                "side": "advocate",
                "trigger": "first_purchase",
                "kind": "credit",
                "amounts": {"EUR": "15.00"},
            },
        ],
        hold_days=0,
        hold_anchor="paid",
    )
    advocate = people.advocate_for(camille)
    # One whose membership was given, and one who is to be rewarded after the app is gone.
    pay(create_order(claimed(advocate, terms, plan.product, user=lea), user=lea))
    later = make_user("later@example.com")
    waiting = create_order(claimed(advocate, terms, plan.product, user=later), user=later)
    own, mat = place(plan, user=camille), make_product("MAT", "100.00")
    sweep()
    given = Reward.objects.filter(kind="membership", posted=1).count()
    assert given >= 2 and Membership.objects.filter(state="active").exists()
    before = list(Period.objects.order_by("pk").values_list("pk", "taken_back_at"))

    monkeypatch.setenv("DJANGO_SETTINGS_MODULE", SETTINGS)
    seen = in_a_process(
        "tests.memberships.without.look",
        products=[plan.product.pk, mat.pk],
        order=own.number,
        waiting=waiting.number,
        advocate=camille.pk,
        program=Program.objects.get().pk,
        referral=Referral.objects.earliest("pk").pk,
    )
    assert set(seen["pages"].values()) == {200}, seen["pages"]
    assert seen["audit"] == [], seen
    # Its cards charge nobody any more.
    assert seen["checks"] == ["oscar_integration.W014"]
    # Credit is given as before; what is a membership waits until the app is back.
    credits = [state for kind, state, _posted in seen["rewards"] if kind == "credit"]
    assert credits == ["given"] * 3
    assert ["membership", "waiting", "0.00"] in seen["rewards"]
    assert before == list(Period.objects.order_by("pk").values_list("pk", "taken_back_at"))
    assert seen["bought"] == sorted([plan.product.pk, mat.pk])

    # It is back: what was missed is made good within a day.
    sweep(now=timezone.now() + timedelta(hours=25))
    assert Period.objects.filter(order_number=seen["new"]).exists()
    assert not Reward.objects.filter(kind="membership", user__isnull=False, posted=0).exists()


@pytest.mark.django_db
def test_tables_that_stay_keep_accounts_from_being_deleted() -> None:
    """Why they go before the code: without it, nothing empties the fields that refer to a user."""
    user = make_user()
    Membership.objects.create(user=user, plan=make_plan(), code="AAAA2222", created_at=user.date_joined)
    table = connection.ops.quote_name(type(user)._meta.db_table)

    def as_without_the_app() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = %s", [user.pk])
            connection.check_constraints()

    with pytest.raises(IntegrityError):
        as_without_the_app()
    user.delete()


@pytest.mark.django_db(transaction=True)
def test_the_tables_go_with_what_the_project_remembers_of_them() -> None:
    """As docs/how-to/leave.md has it: permissions and content types go, too, and accounts can be deleted."""
    user = make_user()
    Membership.objects.create(user=user, plan=make_plan(), code="AAAA2222", created_at=user.date_joined)
    types = ContentType.objects.filter(app_label="referral_memberships")
    assert types.exists()
    call_command("migrate", "referral_memberships", "zero", verbosity=0, interactive=False)
    assert not types.exists()
    assert not [name for name in connection.introspection.table_names() if "referral_memberships" in name]
    call_command("migrate", "referral_memberships", verbosity=0, interactive=False)
    assert types.exists() and not Membership.objects.exists()
    call_command("migrate", "wagtail_referrals", "zero", verbosity=0, interactive=False)
    assert not [name for name in connection.introspection.table_names() if "referral_memberships" in name]
