from django.db import models
from django.utils.translation import gettext_lazy as _


class Charge(models.Model):
    """One answer of the payment provider, also a refusal. The number of the card is never stored."""

    order_number = models.CharField(_("Order number"), max_length=128, db_index=True)
    reference = models.CharField(_("Reference"), max_length=64, unique=True)
    amount = models.DecimalField(_("Amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("Currency"), max_length=3)
    last4 = models.CharField(_("Last four digits"), max_length=4)
    accepted = models.BooleanField(_("Accepted"))
    date_created = models.DateTimeField(_("Date"), auto_now_add=True)

    class Meta:
        ordering = ["-date_created"]
        verbose_name = _("Charge")
        verbose_name_plural = _("Charges")

    def __str__(self):
        return f"{self.order_number}: {self.amount} {self.currency}"
