"""What this shop looks at besides the package's own checks: both leave the decision to a person."""

from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop
from oscar.core.loading import get_model

from wagtail_referrals.trust import Check, CheckResult, Subject, checks

Order = get_model("order", "Order")

# Mailboxes that anybody opens without a name, for an hour.
THROW_AWAY = ("throwaway.example.net", "ten-minutes.example.org")
MANY = 5


def throw_away_address(subject: Subject) -> CheckResult:
    order = _order(subject)
    address = (order.email or "") if order is not None else ""
    if address.rpartition("@")[2].lower() in THROW_AWAY:
        return CheckResult("hold", gettext_noop("a throw-away e-mail address"))
    return CheckResult()


def many_of_one(subject: Subject) -> CheckResult:
    """Somebody who buys to sell again is no friend."""
    order = _order(subject)
    if order is not None and order.lines.filter(quantity__gte=MANY).exists():
        return CheckResult("hold", gettext_noop("five or more of one article"))
    return CheckResult()


def _order(subject: Subject) -> Order | None:
    return Order.objects.filter(number=subject.purchase.reference).first() if subject.purchase else None


OWN = (
    Check("throw_away_address", throw_away_address, label=_("throw-away address")),
    Check("many_of_one", many_of_one, label=_("many of one article")),
)


def register() -> None:
    for check in OWN:
        checks.register(check)


def unregister() -> None:
    for check in OWN:
        checks.unregister(check.key)
