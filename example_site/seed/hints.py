"""Who has what in the demonstration, read from the database: printed after seeding."""

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils import timezone, translation
from oscar.core.loading import get_model

from example_site.seed.circles import JULIE, PAULINE
from example_site.seed.people import ADVOCATES, CIRCLES, FRIENDS, MEMBERS
from wagtail_referrals import credit, people
from wagtail_referrals.credit.models import Account
from wagtail_referrals.programs import pick_terms
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.site.milestones import milestones_of

Order = get_model("order", "Order")
User = get_user_model()


def hints() -> list[str]:
    """Lines for somebody who is about to try the shop."""
    with translation.override("en"):
        return [
            "",
            "Share links to try, in a private window:",
            *_share_links(),
            "",
            "Links of customers whom programs of their own are for:",
            *_links_of_circles(),
            "  With Julie's link put something for €25 or more into the basket: a cork block joins it.",
            "  With Gaëlle's link order for €40 or more, as the third friend: see the tutorial for her mat.",
            "  As rozenn@example.com open “Refer a friend”: her own mat waits to be put into the basket.",
            "  As camille@example.com: a shopper says that she sent her, and the studio would like to thank her.",
            f"  Those who refer, with every block about it: http://{settings.EXAMPLE_HOST}/en/good-company/",
            "",
            "Friends who have never ordered, with an account: "
            + ", ".join(person.email for person in _new_customers()),
            f"  {FRIENDS[1].email} has ordered before: the offer is not for him.",
            "",
            "What is waiting:",
            *_waiting(),
            "",
            "Memberships, under Marketing > Memberships:",
            *(_memberships() if apps.is_installed("oscar_integration.memberships") else ()),
            "",
            "Step by step, with all of it: docs/tutorials/first-referral.md",
        ]


def _share_links() -> Iterator[str]:
    for person in ADVOCATES:
        user = User.objects.filter(email=person.email).first()
        advocate = people.find_advocate(user) if user is not None else None
        if advocate is None:
            continue
        path = people.share_path(people.code_of(advocate))
        yield f"  http://{settings.EXAMPLE_HOST}{path}  {person.first_name} ({_credit(user)})"


def _links_of_circles() -> Iterator[str]:
    """With the audience that decides, and where the customer stands."""
    members = [person.email for person in MEMBERS[:2]]
    for email in [*(person.email for person in CIRCLES), JULIE, PAULINE, *members]:
        user = User.objects.filter(email=email).first()
        advocate = people.find_advocate(user) if user is not None else None
        offer = pick_terms(site_id=None, user_id=user.pk) if user is not None else None
        if advocate is None or offer is None:
            continue
        path = people.share_path(people.code_of(advocate))
        stands = ", ".join([*_accounts(user), *_milestones(advocate, offer.data)])
        yield (
            f"  http://{settings.EXAMPLE_HOST}{path}  {email}, in “{offer.data.audience}”"
            + (f" ({stands})" if stands else "")
        )


def _accounts(user: Any) -> Iterator[str]:
    for account in credit.accounts_of(user):
        yield credit.format_money(account.available, account.currency)


def _milestones(advocate: Any, data: Any) -> Iterator[str]:
    stands = milestones_of(advocate, data)
    if stands is not None:
        yield stands.progress if stands.goal else "all milestones reached"


def _credit(user: Any) -> str:
    account: Account | None = credit.account_of(user, "EUR")
    if account is None:
        return "no credit yet"
    if account.shortfall:
        return f"{credit.format_money(account.shortfall, 'EUR')} still to recover"
    return f"{credit.format_money(account.available, 'EUR')} to spend"


def _new_customers() -> list[Any]:
    customers = set(Order.objects.exclude(user=None).values_list("user__email", flat=True))
    return [person for person in FRIENDS if person.email not in customers]


def _waiting() -> Iterator[str]:
    for purchase in Purchase.objects.filter(referral__state=Referral.State.WAITING_PAYMENT).select_related(
        "referral__advocate"
    ):
        order = Order.objects.filter(number=purchase.reference).first()
        if order is None:
            continue
        todo = "shipped" if order.status == "Paid" else "paid, then as shipped"
        yield (
            f"  http://{settings.EXAMPLE_HOST}/en/dashboard/orders/{order.number}/  {order.status}; mark it as {todo}"
            f" ({_referrer(purchase.referral)})"
        )
    held = Referral.objects.filter(state=Referral.State.WAITING_PERIOD).exclude(hold_until=None)
    for referral in held.select_related("advocate").order_by("hold_until")[:1]:
        until = timezone.localtime(referral.hold_until)
        yield f"  The next waiting period ends on {until:%d %B at %H:%M} ({_referrer(referral)})"
    to_check = Referral.objects.filter(state=Referral.State.TO_CHECK).count()
    if to_check:
        yield f"  {to_check} referrals are to be checked, under Marketing > Referrals > To check"
    if AttributionRequest.objects.filter(kind="reported", state=AttributionRequest.State.WAITING).exists():
        yield "  Noé misses the order of a friend: decide it under Marketing > Referrals > Requests"


def _memberships() -> Iterator[str]:
    """Whose renewal comes next and how it is paid, whose card was declined, and what staff have to see to."""
    from oscar_integration.memberships.models import Membership, Period
    from oscar_integration.memberships.renewals import forecast

    now = timezone.now()
    members = Membership.objects.select_related("plan", "user")
    known = [person.email for person in [*CIRCLES, *MEMBERS]]
    running = members.filter(state=Membership.State.ACTIVE, user__email__in=known)
    for membership in running.order_by("ends_at"):
        coming = forecast(membership, now)
        if coming is None:
            continue
        yield (
            f"  {membership.user.email}: {membership.plan} renews on "
            f"{timezone.localtime(coming.due_at):%d %B %Y at %H:%M}, "
            f"{credit.format_money(coming.credit, coming.currency)} of "
            f"{credit.format_money(coming.total, coming.currency)} by credit"
        )
    for membership in members.filter(state=Membership.State.PAST_DUE, user__email__in=known):
        until = timezone.localtime(membership.access_until)
        yield f"  {membership.user.email}: the card was declined; may come until {until:%d %B at %H:%M}"
    used = Period.objects.filter(shortfall_closed_at=None, shortfall_uses__gt=0).count()
    yield f"  Passes that were taken back after they had been used: {used}"
    yield (
        "  With Salomé's link register, come once (at the Check-in there), buy the monthly membership: her credit pays "
        "her next renewal first."
    )


def _referrer(referral: Referral) -> str:
    return f"a friend of {referral.advocate.public_name or 'a guest'}"
