"""What editors set once for a site, under Settings > Referral programs."""

from __future__ import annotations

import re
from datetime import time
from email.headerregistry import Address
from email.utils import parseaddr
from typing import Any, Final

from django.conf import settings
from django.core.cache import cache
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import Max
from django.db.models.signals import post_delete, post_save
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from wagtail.admin.panels import FieldPanel, FieldRowPanel, MultiFieldPanel
from wagtail.contrib.settings.models import BaseSiteSetting
from wagtail.models import Site

from wagtail_referrals import messages, programs
from wagtail_referrals.site.colours import check_colour, check_contrast
from wagtail_referrals.site.page_form import ColourInput

__all__ = ["ReferralSettings"]

CACHE_KEY: Final = "wagtail_referrals.settings"
CACHE_SECONDS: Final = 300


class ReferralSettings(BaseSiteSetting):
    """One row for each site that has any; what is empty is as it was before. Reading it writes nothing."""

    return_days = models.PositiveSmallIntegerField(
        _("days to return an order"),
        null=True,
        blank=True,
        validators=[MinValueValidator(1), MaxValueValidator(365)],
        help_text=_(
            "How long customers may send an order back. New programs wait that long before they give a reward, and "
            "the form of a program warns when it waits less."
        ),
    )
    sender_name = models.CharField(
        _("sender's name"),
        max_length=100,
        blank=True,
        help_text=_("Who mails about referrals come from, for example “Anna of Studio Souffle”."),
    )
    sender_email = models.EmailField(
        _("sender's address"),
        blank=True,
        help_text=_(
            "Leave empty for the address that the shop's other mails come from. Another one has to be one that your "
            "mail server may send for: ask whoever looks after it."
        ),
    )
    quiet_from = models.TimeField(
        _("quiet from"),
        null=True,
        blank=True,
        default=time(21),
        help_text=_(
            "From this hour on nothing is sent but what somebody waits for at that moment, such as an invitation that "
            "they asked for. By the clock of the reader, as far as they have told it, else by that of the shop."
        ),
    )
    quiet_until = models.TimeField(
        _("until"),
        null=True,
        blank=True,
        default=time(8),
        help_text=_(
            "What was held back is sent then. Leave both empty, and messages are sent at any hour of the day."
        ),
    )
    most_a_week = models.PositiveSmallIntegerField(
        _("most in seven days"),
        null=True,
        blank=True,
        default=3,
        validators=[MinValueValidator(1), MaxValueValidator(100)],
        help_text=_(
            "How many tips and reminders one person is sent within seven days; more of them wait. News of what is "
            "theirs, such as a reward or a renewal, is not counted and does not wait. Leave empty for no limit."
        ),
    )
    colour_ground = models.CharField(
        _("colour of the ground"), max_length=7, blank=True, validators=[check_colour]
    )
    colour_ink = models.CharField(
        _("colour of the text"), max_length=7, blank=True, validators=[check_colour]
    )
    colour_accent = models.CharField(
        _("colour of the accent"), max_length=7, blank=True, validators=[check_colour]
    )

    panels = [
        FieldPanel("return_days"),
        MultiFieldPanel([FieldPanel("sender_name"), FieldPanel("sender_email")], heading=_("Mails")),
        MultiFieldPanel(
            [
                FieldRowPanel([FieldPanel("quiet_from"), FieldPanel("quiet_until")]),
                FieldPanel("most_a_week"),
            ],
            heading=_("When messages are sent"),
        ),
        MultiFieldPanel(
            [
                FieldRowPanel(
                    [
                        FieldPanel(name, widget=ColourInput())
                        for name in ("colour_ground", "colour_ink", "colour_accent")
                    ]
                )
            ],
            heading=_("Look of what is shared and printed"),
            help_text=_(
                "For pictures in messengers, cards and posters. A landing page that has colours of its own keeps them. "
                "As # and six digits, or picked from the square beside it. Leave empty for our colours."
            ),
        ),
    ]

    class Meta:
        verbose_name = _("referral programs")
        verbose_name_plural = _("referral programs")
        default_permissions = ("change",)

    def __str__(self) -> str:
        return gettext("Referral programs")

    @classmethod
    def for_site(cls, site: Site) -> ReferralSettings:
        """Wagtail's own makes a row when somebody only looks."""
        return cls.objects.filter(site=site).first() or cls(site=site)

    def clean(self) -> None:
        super().clean()
        if re.search(r"[\r\n]", self.sender_name):
            # No header of a mail can hold it: none would be sent.
            raise ValidationError({"sender_name": gettext("Write the name in one line.")})
        if (self.quiet_from is None) != (self.quiet_until is None):
            missing = "quiet_from" if self.quiet_from is None else "quiet_until"
            raise ValidationError({missing: gettext("Give both hours, or none.")})
        check_contrast(self.colour_ground, self.colour_ink, "colour_ink")


def settings_of(site_id: int | None) -> ReferralSettings:
    """Those of a site, or empty ones. No query with a warm cache."""
    known: dict[int, dict[str, Any]] | None = cache.get(CACHE_KEY)
    if known is None:
        known = {row["site_id"]: row for row in ReferralSettings.objects.values()}
        cache.set(CACHE_KEY, known, CACHE_SECONDS)
    return ReferralSettings(**known.get(site_id, {}) if site_id is not None else {})


def return_days(site_id: int | None) -> int | None:
    """How long an order can be returned on this site; on no site in particular: on the most patient one."""
    if site_id is not None:
        return settings_of(site_id).return_days
    longest: int | None = ReferralSettings.objects.aggregate(days=Max("return_days"))["days"]
    return longest


def sender_of(site_id: int | None) -> str:
    """For the header "From"; "" where nothing is set: Django's own then."""
    chosen = settings_of(site_id)
    if not (chosen.sender_name or chosen.sender_email):
        return ""
    name, address = parseaddr(settings.DEFAULT_FROM_EMAIL)
    return str(Address(chosen.sender_name or name, addr_spec=chosen.sender_email or address))


def limits_of(site_id: int | None) -> messages.Limits:
    """What holds the messages of this site back. Where nobody has set anything, what the form begins with."""
    chosen = settings_of(site_id)
    return messages.Limits(chosen.quiet_from, chosen.quiet_until, chosen.most_a_week)


def forget_settings(**kwargs: Any) -> None:
    """After a change."""
    cache.delete(CACHE_KEY)


def connect() -> None:
    """Called when Django is ready: the rooms below ask through these."""
    for signal in (post_save, post_delete):
        signal.connect(forget_settings, sender=ReferralSettings, dispatch_uid="wagtail_referrals.settings")
    programs.register_return_days(return_days)
    messages.register_sender(sender_of)
    messages.register_limits(limits_of)
