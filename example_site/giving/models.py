"""What is promised to the sea rescue. The studio transfers the sum once a year."""

from decimal import Decimal

from django.db import models
from django.utils.translation import gettext_lazy as _


class Pledge(models.Model):
    """One movement: promised (above zero), or taken back because the friend's order came back (below)."""

    # Names the reward and its revision; the same one twice is one pledge.
    key = models.CharField(_("reward"), max_length=100, unique=True)
    amount = models.DecimalField(_("amount"), max_digits=12, decimal_places=2)
    currency = models.CharField(_("currency"), max_length=3)
    created_at = models.DateTimeField(_("date"))

    class Meta:
        verbose_name = _("pledge")
        verbose_name_plural = _("pledges")
        # Rewards write them; nobody does by hand.
        default_permissions = ("view",)
        ordering = ["-created_at", "-pk"]

    def __str__(self) -> str:
        return f"{self.amount} {self.currency}"

    @property
    def reward_id(self) -> str:
        """The middle of the key, "reward:<id>:<revision>"."""
        return self.key.split(":")[1]

    @classmethod
    def total(cls, currency: str) -> Decimal:
        """All that is promised in this currency, less what was taken back."""
        # Added up here: SQLite adds decimals as floats.
        return sum(cls.objects.filter(currency=currency).values_list("amount", flat=True), Decimal(0))
