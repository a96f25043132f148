"""A reward that the customer does not keep: the studio gives it to the sea rescue in their name."""

from decimal import Decimal

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from example_site.giving.models import Pledge
from wagtail_referrals.kinds import Posting, RewardKind, Rule, Side, amount_words


class SeaRescue(RewardKind):
    key = "sea_rescue"
    label = _("Donation to the sea rescue")
    sides = (Side.ADVOCATE,)
    value_fields = ("amounts",)

    def words(self, rule: Rule, currency: str) -> str:
        return gettext("%(amount)s for the sea rescue") % {"amount": amount_words(rule.amounts, currency)}

    def worth(self, rule: Rule, currency: str, eligible: Decimal | None) -> Decimal | None:
        return rule.amounts.get(currency)

    def post(self, posting: Posting) -> None:
        Pledge.objects.get_or_create(
            key=posting.key,
            defaults={
                "amount": posting.amount,
                "currency": posting.currency,
                "created_at": posting.now,
            },
        )
