"""What leaving means for Oscar's tables: vouchers that nobody can use any more, and offers that load no class of ours.

What orders have used stays, so that they read as before: those vouchers and their offers become Oscar's own, suspended
and for nothing in the catalogue.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from django.db import transaction
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from oscar.core.loading import get_model

from oscar_integration import conf, vouchers
from wagtail_referrals import leaving

# Every path to a class of ours begins so.
OURS: Final = "oscar_integration."
# Vouchers in one transaction: one that is interrupted begins anew with these.
PORTION: Final = 500


class Stages(leaving.Step):
    """Else the shop would go on issuing vouchers, and setting credit aside, while they are taken away."""

    key = "stages"
    label = _("Stages")
    needs_tables = False

    def obstacles(self, *, payments_over: bool) -> list[str]:
        on = [name for name in ("VOUCHERS", "CREDIT_AT_CHECKOUT") if conf.get(name)]
        if not on:
            return []
        return [
            gettext("Set %(names)s to False in WAGTAIL_REFERRALS_OSCAR first, and restart the shop.")
            % {"names": " and ".join(on)}
        ]


class Vouchers(leaving.Step):
    """Out of open baskets, with the pieces that they made free; those that no order has used are deleted."""

    key = "vouchers"
    label = _("Vouchers and offers")
    needs_tables = False

    # What there is

    def _unused(self) -> Any:
        used = get_model("order", "OrderDiscount").objects.filter(voucher_code__startswith=vouchers.PREFIX)
        found = get_model("voucher", "Voucher").objects.filter(code__startswith=vouchers.PREFIX)
        return found.filter(applications=None).exclude(
            pk__in=used.exclude(voucher_id=None).values("voucher_id")
        )

    def _offers(self) -> Any:
        ours = Q(condition__proxy_class__startswith=OURS) | Q(benefit__proxy_class__startswith=OURS)
        return get_model("offer", "ConditionalOffer").objects.filter(ours)

    def _baskets(self, *statuses: str) -> Any:
        Basket = get_model("basket", "Basket")
        found = Basket._default_manager.filter(
            vouchers__code__startswith=vouchers.PREFIX, status__in=statuses
        )
        return found.distinct()

    def obstacles(self, *, payments_over: bool) -> list[str]:
        if payments_over:
            return []
        number = self._baskets(get_model("basket", "Basket").FROZEN).count()
        if not number:
            return []
        return [
            ngettext(
                "%(count)s basket with a voucher of ours is being paid for, or was left at the bank's page. Wait, or "
                "say --payments-over if no payment can come any more.",
                "%(count)s baskets with vouchers of ours are being paid for, or were left at the bank's page. Wait, or "
                "say --payments-over if no payment can come any more.",
                number,
            )
            % {"count": number}
        ]

    def plan(self) -> list[str]:
        Basket = get_model("basket", "Basket")
        found = []
        for number, words in (
            (
                self._baskets(Basket.OPEN, Basket.SAVED, Basket.FROZEN).count(),
                lambda n: ngettext(
                    "Our vouchers leave %(count)s basket, and the pieces that they make free.",
                    "Our vouchers leave %(count)s baskets, and the pieces that they make free.",
                    n,
                ),
            ),
            (
                self._unused().count(),
                lambda n: ngettext(
                    "%(count)s voucher that no order has used is deleted.",
                    "%(count)s vouchers that no order has used are deleted.",
                    n,
                ),
            ),
            (
                self._offers().count(),
                lambda n: ngettext(
                    "%(count)s offer that needs our code is suspended, and gives nothing from then on.",
                    "%(count)s offers that need our code are suspended, and give nothing from then on.",
                    n,
                ),
            ),
        ):
            if number:
                found.append(words(number) % {"count": number})
        return found

    # Doing it

    def carry_out(self, say: leaving.Say) -> None:
        baskets = self._empty_baskets()
        if baskets:
            say(gettext("Baskets without our vouchers now: %(count)s.") % {"count": baskets})
        deleted = sum(self._delete_unused())
        if deleted:
            say(gettext("Vouchers deleted: %(count)s.") % {"count": deleted})
        suspended = self._suspend()
        if suspended:
            say(gettext("Offers suspended: %(count)s.") % {"count": suspended})

    def _empty_baskets(self) -> int:
        Basket = get_model("basket", "Basket")
        number = 0
        while True:
            with transaction.atomic():
                baskets = self._baskets(Basket.OPEN, Basket.SAVED, Basket.FROZEN).order_by("pk")[:PORTION]
                portion = list(baskets)
                if not portion:
                    return number
                for basket in portion:
                    self._empty(basket)
            number += len(portion)

    def _empty(self, basket: Any) -> None:
        ours = basket.vouchers.filter(code__startswith=vouchers.PREFIX)
        conditions = ours.filter(offers__condition__proxy_class=f"{OURS}vouchers.GiftCondition").values_list(
            "pk", "offers__condition__type"
        )
        # A voucher makes one piece free, and has an offer for each currency.
        for _voucher, product in sorted({(pk, kind.rpartition("/")[2]) for pk, kind in conditions}):
            # The piece would be charged from now on.
            line = basket.lines.filter(product_id=product, quantity__gt=0).order_by("pk").first()
            if line is None:
                continue
            if line.quantity > 1:
                line.quantity -= 1
                line.save()
            else:
                line.delete()
        basket.vouchers.remove(*ours)

    def _delete_unused(self) -> Iterator[int]:
        while True:
            with transaction.atomic():
                portion = list(self._unused().order_by("pk").values_list("pk", flat=True)[:PORTION])
                if not portion:
                    return
                get_model("voucher", "Voucher").objects.filter(pk__in=portion).delete()
            yield len(portion)

    def _suspend(self) -> int:
        """What is left of ours becomes Oscar's own, for nothing in the catalogue, and reads as what it was."""
        ConditionalOffer = get_model("offer", "ConditionalOffer")
        Condition, Benefit = get_model("offer", "Condition"), get_model("offer", "Benefit")
        Voucher = get_model("voucher", "Voucher")
        with transaction.atomic():
            now = timezone.now()
            used = Voucher.objects.filter(code__startswith=vouchers.PREFIX, end_datetime__gt=now)
            used.update(end_datetime=now)
            conditions = Condition.objects.filter(proxy_class__startswith=OURS)
            benefits = Benefit.objects.filter(proxy_class__startswith=OURS)
            offers = list(self._offers().values_list("pk", flat=True))
            if not offers and not conditions.exists() and not benefits.exists():
                return 0
            nothing = self._range_of_nothing()
            ConditionalOffer.objects.filter(pk__in=offers).update(status=ConditionalOffer.SUSPENDED)
            conditions.update(proxy_class=None, type=Condition.COUNT, value=1, range=nothing)
            for name, values in {
                "PercentOff": {"type": Benefit.PERCENTAGE, "range": nothing},
                "AmountOff": {"type": Benefit.FIXED, "range": nothing},
                "FreeDelivery": {"type": Benefit.SHIPPING_PERCENTAGE, "value": 100, "range": None},
            }.items():
                benefits.filter(proxy_class=f"{OURS}vouchers.{name}").update(proxy_class=None, **values)
            # The free product, and whatever a later version made.
            benefits.update(
                proxy_class=None, type=Benefit.PERCENTAGE, value=100, range=nothing, max_affected_items=1
            )
        return len(offers)

    def _range_of_nothing(self) -> Any:
        """An empty range; named so that nobody puts anything into it."""
        Range = get_model("offer", "Range")
        name = gettext("Nothing (the referral program has ended)")
        found = Range.objects.filter(name=name).first()
        return found or Range.objects.create(name=name, includes_all_products=False)


def register() -> None:
    """Called once, from the app's ``ready``."""
    for step in (Stages(), Vouchers()):
        leaving.steps.register(step)
