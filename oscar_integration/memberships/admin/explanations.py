"""What the listings of memberships show, and what their words mean."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.models import Membership, Plan, Renewal
from wagtail_referrals.admin.explanations import Explanation, explain


def register() -> None:
    """Called when the menu is put together."""
    explain(
        Plan,
        Explanation(
            _(
                "A plan is a membership or a pass as you sell it, or as a program gives it. What you change holds for "
                "periods to come; what was bought or given stays."
            )
        ),
    )
    explain(
        Membership,
        Explanation(
            _("A membership is one plan of one customer, with all its periods: bought, given, renewed."),
            {
                Membership.State.WAITING.label: _("its order is not paid yet, or a guest has no account yet"),
                Membership.State.ACTIVE.label: _("opens doors"),
                Membership.State.PAST_DUE.label: _(
                    "the card was declined; it opens doors for the days of grace"
                ),
                Membership.State.ENDED.label: _("opens nothing any more; its page says why"),
            },
        ),
    )
    explain(
        Renewal,
        Explanation(
            _("A renewal is one time that a membership is paid for again, by credit and by the card."),
            {
                Renewal.State.PLANNED.label: _("waits for its day"),
                Renewal.State.CHARGING.label: _("the card is asked at this moment"),
                Renewal.State.PAST_DUE.label: _("is tried again on the days that the plan names"),
                Renewal.State.DONE.label: _("has become an order, and one more period"),
                Renewal.State.GIVEN_UP.label: _("was tried on all of these days"),
                Renewal.State.CALLED_OFF.label: _("was not wanted any more before it was charged"),
            },
        ),
    )
