"""What the doctor examines where the shop is django-oscar's: a basket, the checkout, an order, its statuses."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.doctor import Examination, examinations, later


def register() -> None:
    """Called once, from the app's ``ready``."""
    here = __package__
    for examination in (
        Examination("oscar_basket", _("A friend's basket"), later(f"{here}.basket.examine_basket")),
        Examination(
            "oscar_checkout", _("The checkout, with credit"), later(f"{here}.checkout.examine_checkout")
        ),
        Examination("oscar_order", _("An order"), later(f"{here}.order.examine_order")),
        Examination("oscar_statuses", _("The order's statuses"), later(f"{here}.statuses.examine_statuses")),
    ):
        examinations.register(examination)
