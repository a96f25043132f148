"""The memberships and passes that the studio sells and gives: what the editor wrote under "Plans"."""

from dataclasses import dataclass
from typing import Any

from django.apps import apps
from django.contrib.auth.models import Group
from oscar.core.loading import get_model

# Groups: who renews each month, and who has the whole year. Both may see the members' page.
MEMBERS = "Members"
YEARLY_MEMBERS = "Yearly members"
FRIENDS_PASS = "friends-pass"


@dataclass(frozen=True)
class PlanSeed:
    """One plan. `sku`: the article that sells it; without one it is only given. `uses` None: as often as one likes."""

    slug: str
    english: str
    french: str
    sku: str = ""
    length: int = 1
    unit: str = "months"
    uses: int | None = None
    renews: bool = False
    group: str = ""
    announce_days: int = 7
    grace_days: int = 7


PLANS = [
    PlanSeed(
        "monthly", "Monthly membership", "Abonnement mensuel", "MEMBER-MONTH", renews=True, group=MEMBERS
    ),
    PlanSeed(
        "yearly",
        "Yearly membership",
        "Abonnement annuel",
        "MEMBER-YEAR",
        12,
        renews=True,
        group=YEARLY_MEMBERS,
        announce_days=14,
        grace_days=14,
    ),
    PlanSeed("home", "Practice at home", "Pratique à la maison", "MEMBER-HOME", renews=True, group=MEMBERS),
    PlanSeed("ten-classes", "10-class pass", "Carte 10 cours", "PASS-10", 6, uses=10),
    PlanSeed("five-classes", "5-class pass", "Carte 5 cours", "PASS-5", 4, uses=5),
    PlanSeed("single-class", "Single class", "Cours à l’unité", "PASS-1", 3, uses=1),
    PlanSeed(FRIENDS_PASS, "Friend's pass", "Pass découverte", length=30, unit="days", uses=1),
]


def seed_plans() -> int:
    """Make the plans that are not there yet, and leave the others as the editor has them; return how many there are."""
    if not apps.is_installed("oscar_integration.memberships"):
        return 0
    from oscar_integration.memberships.models import Plan

    for seed in PLANS:
        if not Plan.objects.filter(slug=seed.slug).exists():
            _make(seed)
    return Plan.objects.count()


def _make(seed: PlanSeed) -> Any:
    from oscar_integration.memberships.models import Plan, PlanName

    product = get_model("catalogue", "Product").objects.get(upc=seed.sku) if seed.sku else None
    plan = Plan(
        name=seed.english,
        slug=seed.slug,
        product=product,
        period_length=seed.length,
        period_unit=seed.unit,
        uses=seed.uses,
        renews=seed.renews,
        gift_only=product is None,
        is_trial=product is None,
        group=Group.objects.get_or_create(name=seed.group)[0] if seed.group else None,
        announce_days=seed.announce_days,
        grace_days=seed.grace_days,
    )
    plan.names = [
        PlanName(language=language, name=name)
        for language, name in (("en", seed.english), ("fr", seed.french))
    ]
    plan.save()
    return plan
