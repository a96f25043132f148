"""What the "bank" knows: one charge an order number, however often the shop asks. And the cards that the shop keeps."""

import secrets
from decimal import Decimal

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _


def new_token() -> str:
    return secrets.token_urlsafe(16)


def label_of(last4: str) -> str:
    """What the customer recognises of a card."""
    return f"•••• {last4}"


class DemoCharge(models.Model):
    """A charge of one card for one order. Amounts are in the charge's currency, tax included."""

    class Status(models.TextChoices):
        AT_BANK = "at_bank", _("waiting for the bank")
        AUTHORISED = "authorised", _("authorised")
        CAPTURED = "captured", _("taken")
        DECLINED = "declined", _("declined")
        ABANDONED = "abandoned", _("abandoned")
        VOID = "void", _("cancelled")

    order_number = models.CharField(_("order number"), max_length=128, unique=True)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=12)
    status = models.CharField(_("status"), max_length=12, choices=Status.choices)
    refunded = models.DecimalField(_("refunded"), max_digits=12, decimal_places=2, default=Decimal("0.00"))
    last4 = models.CharField(_("last four digits"), max_length=4)
    token = models.CharField(max_length=32, unique=True, default=new_token, editable=False)
    attempts = models.PositiveIntegerField(_("attempts"), default=1)
    # Under which a kept card was asked for last: the same key gets the same answer.
    request_key = models.CharField(max_length=64, blank=True, editable=False)
    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("card charge")
        verbose_name_plural = _("card charges")
        constraints = [
            models.CheckConstraint(condition=models.Q(amount__gt=0), name="example_charge_positive"),
            models.CheckConstraint(
                condition=models.Q(refunded__gte=0) & models.Q(refunded__lte=models.F("amount")),
                name="example_charge_refund_within_amount",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.order_number}: {self.amount} {self.currency} ({self.status})"

    @property
    def label(self) -> str:
        """What the customer recognises: the last four digits."""
        return label_of(self.last4)


class StoredCard(models.Model):
    """The card that a customer keeps for renewals: a token of the bank's and how the customer knows it, no number."""

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL,
        on_delete=models.CASCADE,
        related_name="stored_card",
        verbose_name=_("customer"),
    )
    last4 = models.CharField(_("last four digits"), max_length=4)
    token = models.CharField(max_length=40, editable=False)
    updated_at = models.DateTimeField(_("updated"), auto_now=True)

    class Meta:
        verbose_name = _("card on file")
        verbose_name_plural = _("cards on file")

    def __str__(self) -> str:
        return self.label

    @property
    def label(self) -> str:
        return label_of(self.last4)
