"""Members as an audience: whose membership opens doors at this moment."""

from __future__ import annotations

from datetime import timedelta

import pytest

from oscar_integration.memberships.models import Plan
from oscar_integration.memberships.uses import record_use
from tests.audiences import Rule, who
from tests.memberships.rows import NOW, give, make_plan, make_user
from wagtail_referrals.programs import AudienceData, AudienceRuleData, audience_words, customer_facts

pytestmark = pytest.mark.django_db

ANY: Rule = ("membership", {})


def of(plan: Plan) -> Rule:
    return ("membership", customer_facts.get("membership").freeze_options({"membership_plan": str(plan.pk)}))


def test_a_member_is_in_it_while_the_membership_runs() -> None:
    monthly, yearly = make_plan(), make_plan("yearly")
    give(make_user("a@example.com", "Anna"), monthly)
    give(make_user("b@example.com", "Ben"), yearly)
    make_user("c@example.com", "Cleo")
    assert who(ANY, now=NOW) == {"Anna", "Ben"}
    assert who(of(yearly), now=NOW) == {"Ben"}
    assert who(ANY, now=NOW - timedelta(days=1)) == set()
    assert who(ANY, now=NOW + timedelta(days=40)) == set()


def test_a_pass_for_trying_out_makes_no_member() -> None:
    trial = make_plan("trial", is_trial=True)
    give(make_user("a@example.com", "Anna"), trial)
    assert who(ANY, now=NOW) == set()
    assert who(of(trial), now=NOW) == {"Anna"}


def test_what_is_used_up_opens_nothing() -> None:
    anna = make_user("a@example.com", "Anna")
    membership = give(anna, make_plan("ten", uses=1))
    assert who(ANY, now=NOW) == {"Anna"}
    record_use(membership, key="door:1", how="code", by=None, now=NOW)
    assert who(ANY, now=NOW) == set()


def test_it_reads_as_a_sentence() -> None:
    def words(rule: Rule) -> str:
        return audience_words(AudienceData(name="Members", rules=(AudienceRuleData(*rule),)))

    assert words(ANY) == "A customer who is a member."
    assert words(of(make_plan())) == "A customer who has the membership “Monthly”."
