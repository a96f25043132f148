"""Plans, members and periods as staff read them."""

from __future__ import annotations

from decimal import Decimal

from django.utils.translation import gettext, ngettext

from oscar_integration.memberships import words
from oscar_integration.memberships.models import Membership, Plan
from oscar_integration.memberships.words import days_words, length_words
from wagtail_referrals import credit
from wagtail_referrals.admin.words import person
from wagtail_referrals.programs import join_words


def uses_words(uses: int | None) -> str:
    """How many times one period can be used."""
    if uses is None:
        return gettext("any number of uses")
    return words.uses_words(uses)


def plan_choices() -> list[tuple[str, str]]:
    """Every plan, for a filter: what is none of them makes no sense, however large the number. One query."""
    return [(str(plan.pk), str(plan)) for plan in Plan.objects.all()]


def plan_words(plan: Plan) -> str:
    """What one period is: "1 month, any number of uses"."""
    return gettext("%(period)s, %(uses)s") % {
        "period": length_words(plan.period_length, plan.period_unit),
        "uses": uses_words(plan.uses),
    }


def renewal_words(plan: Plan) -> list[str]:
    """What happens at the end of a period, a sentence each."""
    period = length_words(plan.period_length, plan.period_unit)
    if not plan.renews:
        return [
            gettext("It ends after %(period)s. Who has another one by then goes on.") % {"period": period}
        ]
    sentences = [gettext("After %(period)s the next period is ordered and charged.") % {"period": period}]
    if plan.announce_days:
        sentences.append(
            gettext(
                "The customer is told at least %(days)s before, with what it will cost and what credit pays."
            )
            % {"days": days_words(plan.announce_days)}
        )
    else:
        sentences.append(gettext("The customer is not told before."))
    days = [item.days for item in plan.retry_after]
    if days:
        sentences.append(
            ngettext(
                "A declined card is charged again %(days)s day later.",
                "A declined card is charged again %(days)s days later.",
                days[-1],
            )
            % {"days": join_words(map(str, days))}
        )
    else:
        sentences.append(gettext("A declined card is not charged again."))
    if plan.grace_days:
        sentences.append(
            gettext("Until then the access goes on, for %(days)s at most; after that the membership ends.")
            % {"days": days_words(plan.grace_days)}
        )
    else:
        sentences.append(gettext("The access ends at once where a card is declined."))
    return sentences


def member(membership: Membership) -> str:
    """Who has it. Needs ``membership.user``."""
    if membership.user is None:
        if membership.state == Membership.State.WAITING:
            return gettext("guest, no account yet")
        return gettext("deleted customer")
    return person(membership.user)


def state_words(membership: Membership) -> str:
    """The state, and of one that has ended why."""
    if membership.ended_reason:
        return gettext("%(state)s: %(reason)s") % {
            "state": membership.get_state_display(),
            "reason": membership.get_ended_reason_display(),
        }
    return str(membership.get_state_display())


def money(amount: Decimal | None, currency: str) -> str:
    """ "€39.00"; "" before the first attempt."""
    return "" if amount is None or not currency else credit.format_money(amount, currency)
