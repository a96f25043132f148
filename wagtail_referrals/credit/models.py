"""The ledger's rows: users and money, nothing else.

Every amount in ``Account``, ``Lot`` and ``Reservation`` can be computed again from ``Entry``: each entry carries the
change that one operation made to one lot's balance and reserved amount, and to the account's shortfall.
"""

from __future__ import annotations

from decimal import Decimal

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _
from django.utils.translation import gettext_noop, pgettext_lazy

__all__ = ["Account", "Entry", "Lot", "Reservation"]


class MoneyField(models.DecimalField):
    """An amount, 12 digits with 2 decimals as in Oscar. Its currency is in the row's account."""

    def __init__(self, *args: object, **kwargs: object) -> None:
        kwargs.setdefault("max_digits", 12)
        kwargs.setdefault("decimal_places", 2)
        kwargs.setdefault("default", 0)
        super().__init__(*args, **kwargs)  # type: ignore[arg-type]


class Account(models.Model):
    """One customer's credit in one currency. Without a user once the customer has been deleted."""

    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        on_delete=models.SET_NULL,
        related_name="+",
        verbose_name=_("customer"),
    )
    currency = models.CharField(_("currency"), max_length=12)
    balance = MoneyField(_("balance"))
    reserved = MoneyField(_("set aside"))
    shortfall = MoneyField(_("still to recover"))

    wagtail_reference_index_ignore = True
    # What of the balance has expired but was not swept yet: filled by the queries of this room's accounts.py.
    lapsed = Decimal(0)

    class Meta:
        verbose_name = _("credit account")
        verbose_name_plural = _("credit accounts")
        default_permissions = ("view",)
        # Wagtail translates the names of permissions where it lists them.
        permissions = [("adjust_account", gettext_noop("Can correct referral credit"))]
        constraints = [
            models.UniqueConstraint(fields=["user", "currency"], name="referrals_one_account"),
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("balance")),
                name="referrals_account_covers_reserved",
            ),
            models.CheckConstraint(condition=Q(shortfall__gte=0), name="referrals_shortfall_not_negative"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk} ({self.currency})"

    @property
    def available(self) -> Decimal:
        """What can be spent now: the balance without what is set aside and what has expired. In ``currency``."""
        return self.balance - self.reserved - self.lapsed


class Lot(models.Model):
    """Credit that came with one grant and expires together."""

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="lots")
    # What the grant was for, e.g. "reward:12": a clawback takes from this lot first.
    source = models.CharField(max_length=64, blank=True)
    amount = MoneyField()
    remaining = MoneyField()
    reserved = MoneyField()
    expires_at = models.DateTimeField(_("expires"), null=True, blank=True)
    created_at = models.DateTimeField()

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("credit lot")
        verbose_name_plural = _("credit lots")
        default_permissions = ("view",)
        constraints = [
            models.CheckConstraint(
                condition=Q(reserved__gte=0, reserved__lte=F("remaining"), remaining__lte=F("amount")),
                name="referrals_lot_covers_reserved",
            ),
        ]
        indexes = [
            # Spending reads only what is left, soonest to expire first.
            models.Index(
                fields=["account", "expires_at", "id"],
                name="referrals_lot_open",
                condition=Q(remaining__gt=0),
            ),
            models.Index(fields=["expires_at"], name="referrals_lot_expiry", condition=Q(remaining__gt=0)),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Reservation(models.Model):
    """Credit that is set aside for the payment of one order."""

    class State(models.TextChoices):
        ACTIVE = "active", pgettext_lazy("reservation", "set aside")
        CAPTURED = "captured", pgettext_lazy("reservation", "spent")
        RELEASED = "released", pgettext_lazy("reservation", "released")
        EXPIRED = "expired", pgettext_lazy("reservation", "expired")
        # The customer paid the order without credit after all: it is never captured.
        WITHDRAWN = "withdrawn", pgettext_lazy("reservation", "not used")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="reservations")
    # The shop's order number; Oscar uses the same number for every attempt to pay a basket.
    order_number = models.CharField(max_length=128)
    # "<order number>:<attempt>"
    key = models.CharField(max_length=160, unique=True)
    amount = MoneyField()
    state = models.CharField(max_length=10, choices=State.choices, default=State.ACTIVE)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    wagtail_reference_index_ignore = True
    # Not stored: True on what the call of ``capture`` returned that spent it.
    spent_now = False

    class Meta:
        verbose_name = _("amount set aside")
        verbose_name_plural = _("amounts set aside")
        default_permissions = ("view",)
        constraints = [
            models.UniqueConstraint(
                fields=["order_number"], name="referrals_one_active_reservation", condition=Q(state="active")
            ),
            models.CheckConstraint(condition=Q(amount__gt=0), name="referrals_reservation_positive"),
        ]
        indexes = [
            models.Index(
                fields=["expires_at"], name="referrals_reservation_expiry", condition=Q(state="active")
            ),
            models.Index(fields=["order_number"], name="referrals_reservation_order"),
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.pk}"


class Entry(models.Model):
    """One movement of one lot. Append only: database triggers refuse UPDATE and DELETE.

    An operation that touches several lots writes one entry each, with the same key and ``part`` 0, 1, 2...
    No free text and no actor here: those are in Wagtail's log, where they can be removed with the person.
    """

    class Kind(models.TextChoices):
        GRANT = "grant", pgettext_lazy("movement", "given")
        RESERVE = "reserve", pgettext_lazy("movement", "set aside")
        CAPTURE = "capture", pgettext_lazy("movement", "spent")
        RELEASE = "release", pgettext_lazy("movement", "released")
        REFUND = "refund", pgettext_lazy("movement", "given back")
        EXPIRE = "expire", pgettext_lazy("movement", "expired")
        CLAWBACK = "clawback", pgettext_lazy("movement", "taken back")
        # Of what was to be taken back, the part that had expired unused: nobody owes it.
        FORGIVEN = "forgiven", pgettext_lazy("movement", "had expired already")
        RECOVERY = "recovery", pgettext_lazy("movement", "recovered")
        ADJUST = "adjust", pgettext_lazy("movement", "adjusted")

    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="entries")
    lot = models.ForeignKey(Lot, null=True, on_delete=models.PROTECT, related_name="entries")
    reservation = models.ForeignKey(Reservation, null=True, on_delete=models.PROTECT, related_name="entries")
    kind = models.CharField(_("movement"), max_length=10, choices=Kind.choices)
    amount = MoneyField(_("amount"), help_text=_("Change of the balance."))
    reserved_delta = MoneyField(help_text=_("Change of the amount set aside."))
    shortfall_delta = MoneyField(help_text=_("Change of what is still to recover."))
    key = models.CharField(max_length=200)
    part = models.PositiveSmallIntegerField(default=0)
    created_at = models.DateTimeField(_("date"))

    wagtail_reference_index_ignore = True

    class Meta:
        verbose_name = _("movement")
        verbose_name_plural = _("movements")
        default_permissions = ("view",)
        constraints = [models.UniqueConstraint(fields=["key", "part"], name="referrals_entry_key")]
        indexes = [models.Index(fields=["account", "-created_at", "-id"], name="referrals_entry_history")]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.pk}"
