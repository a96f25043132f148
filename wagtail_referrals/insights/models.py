"""Figures by day, so that no report reads millions of rows. Everything here can be made anew: see daily.py.

What was counted from visits that have been removed since is the one thing that cannot, and is kept beside them.
"""

from __future__ import annotations

from django.db import models
from django.utils.translation import gettext_lazy as _

__all__ = ["ActivePeople", "ArrivalFigures", "DailyFigures", "FiguredDay", "ShopDay", "StaleDay"]


class FiguredDay(models.Model):
    """A day that is over and was counted. Its row is locked by who counts it again."""

    wagtail_reference_index_ignore = True

    # In the time zone of the site.
    day = models.DateField(primary_key=True)
    figured_at = models.DateTimeField()
    # Whose day it is. Another time zone has other days: then it counts as not counted.
    time_zone = models.CharField(max_length=64, blank=True)
    # The shop's own orders were counted too, see ``ShopDay``.
    shop_counted = models.BooleanField(default=False)
    # Visits of this day that led to nothing were removed; how many there were stands in ``visits_removed``.
    visits_folded = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("counted day")
        verbose_name_plural = _("counted days")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"


class StaleDay(models.Model):
    """Something about this day has changed since it was counted. Only added, and removed by who counts it again.

    No constraint makes it unique: two transactions that change the same day never wait for each other.
    """

    wagtail_reference_index_ignore = True

    day = models.DateField(db_index=True)
    # Who was active on it has changed too, see ``ActivePeople``: what became of friends and orders leaves that alone.
    people = models.BooleanField(default=False)

    class Meta:
        verbose_name = _("day to be counted again")
        verbose_name_plural = _("days to be counted again")
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"


class DailyFigures(models.Model):
    """What happened on one day in one program, by one way, in one language, on one landing page.

    Counts stand in the row without a currency, amounts and orders in one row for each currency. Each is dated by what
    it is about, see ``insights.DayFigures``.
    """

    wagtail_reference_index_ignore = True

    day = models.DateField()
    # "" for visits to which no program could be offered.
    program_key = models.CharField(max_length=36, blank=True)
    # A key of ``tracking.CHANNELS``; "code", "attached", "named" and "reported" for who came without a link.
    channel = models.CharField(max_length=20, blank=True)
    language = models.CharField(max_length=20, blank=True)
    # Primary key of the landing page, 0 for none.
    page_id = models.PositiveIntegerField(default=0)
    currency = models.CharField(max_length=12, blank=True)
    shares = models.PositiveIntegerField(default=0)
    visits = models.PositiveIntegerField(default=0)
    # Of them those whose rows were removed.
    visits_removed = models.PositiveIntegerField(default=0)
    claims = models.PositiveIntegerField(default=0)
    referrals = models.PositiveIntegerField(default=0)
    registered = models.PositiveIntegerField(default=0)
    # Friends whose first order was placed on this day.
    ordered = models.PositiveIntegerField(default=0)
    qualified = models.PositiveIntegerField(default=0)
    rewarded = models.PositiveIntegerField(default=0)
    orders = models.PositiveIntegerField(default=0)
    # Of them those by somebody who had ordered before.
    repeat_orders = models.PositiveIntegerField(default=0)
    revenue = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    refunded = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    discounts = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    given = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    due = models.DecimalField(max_digits=18, decimal_places=2, default=0)
    taken_back = models.DecimalField(max_digits=18, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("figures of a day")
        verbose_name_plural = _("figures of days")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["day", "program_key", "channel", "language", "page_id", "currency"],
                name="referrals_daily_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"


class ActivePeople(models.Model):
    """How many customers did something on one day, by the day on which they had done it the last time before.

    Days do not add up to people, but these rows do: whoever was active in a period was so for a first time in it, and
    had not been since it began. No row says who.
    """

    wagtail_reference_index_ignore = True

    class What(models.TextChoices):
        SHARED = "shared", _("passed the link on")
        BROUGHT = "brought", _("brought a friend")

    what = models.CharField(max_length=10, choices=What.choices)
    # "" for all programs together, and those to which no program could be offered.
    program_key = models.CharField(max_length=36, blank=True)
    day = models.DateField()
    # ``people.NEVER`` for the first time of all, so that every comparison has an answer.
    before = models.DateField()
    people = models.PositiveIntegerField()

    class Meta:
        verbose_name = _("active customers of a day")
        verbose_name_plural = _("active customers of days")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["what", "program_key", "day", "before"], name="referrals_active_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"


class ArrivalFigures(models.Model):
    """Friends' orders of one day in one program and currency, by the month in which the friends became known."""

    wagtail_reference_index_ignore = True

    # On which the orders were placed.
    day = models.DateField()
    program_key = models.CharField(max_length=36)
    currency = models.CharField(max_length=12)
    # The first day of the month.
    arrived = models.DateField()
    orders = models.PositiveIntegerField(default=0)
    # Of them the first of each friend, and the first of each friend in a month. Of what was ordered before the friend
    # became known, the month is that of becoming known.
    first_orders = models.PositiveIntegerField(default=0)
    first_of_month = models.PositiveIntegerField(default=0)
    # Goods with tax after discounts, without delivery, as ordered.
    revenue = models.DecimalField(max_digits=18, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("orders of a day by month of arrival")
        verbose_name_plural = _("orders of days by month of arrival")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                fields=["day", "program_key", "currency", "arrived"], name="referrals_arrival_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"


class ShopDay(models.Model):
    """All orders of the shop on one day in one currency, whoever placed them: what referrals are compared with."""

    wagtail_reference_index_ignore = True

    day = models.DateField()
    currency = models.CharField(max_length=12)
    orders = models.PositiveIntegerField(default=0)
    # Of them those by somebody who had ordered before.
    repeat_orders = models.PositiveIntegerField(default=0)
    # Goods with tax after discounts, without delivery, as the orders were placed.
    revenue = models.DecimalField(max_digits=18, decimal_places=2, default=0)

    class Meta:
        verbose_name = _("orders of a day")
        verbose_name_plural = _("orders of days")
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["day", "currency"], name="referrals_shop_day_once")]

    def __str__(self) -> str:
        return f"{self._meta.verbose_name} {self.day}"
