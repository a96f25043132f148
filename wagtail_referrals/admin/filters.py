"""Filters that several listings share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any, Final

import django_filters
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q, QuerySet
from django.utils import timezone
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import DateRangePickerWidget
from wagtail.models import Page

from wagtail_referrals.admin.listing import advocates_like, keys_of
from wagtail_referrals.insights import Period
from wagtail_referrals.programs import language_name, program_audiences, program_names
from wagtail_referrals.programs.models import Program, language_choices
from wagtail_referrals.referrals import REASONS, reason_words

# What a check of the shop's own said in its own words.
OTHER: Final = "-"
# Of which a friend has none, or none is known.
NONE: Final = "-"
# Days that can be reckoned with in every time zone. Those beside them are slips of the hand.
FIRST_DAY: Final = date(1900, 1, 1)
LAST_DAY: Final = date(2999, 12, 31)


class SiteDatesField(django_filters.fields.DateRangeField):
    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for field in self.fields:
            field.validators += [MinValueValidator(FIRST_DAY), MaxValueValidator(LAST_DAY)]


class SiteDatesFilter(django_filters.DateFromToRangeFilter):
    """From the beginning of the first day to the end of the last one: days of the site's time zone, as in the
    figures, whatever the reader's is.
    """

    field_class = SiteDatesField

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(widget=DateRangePickerWidget, **kwargs)

    def filter(self, qs: QuerySet[Any], value: Any) -> QuerySet[Any]:
        # The field makes moments of the reader's days.
        if value and value.start is not None:
            day = timezone.localtime(value.start).date()
            qs = qs.filter(**{f"{self.field_name}__gte": Period(day, day).start})
        if value and value.stop is not None:
            day = timezone.localtime(value.stop).date()
            qs = qs.filter(**{f"{self.field_name}__lt": Period(day, day).end})
        return qs


class ReasonFilter(django_filters.ChoiceFilter):
    """Why something is as it is, by the words that stand in the listing."""

    def __init__(self, codes: Sequence[str], **kwargs: Any) -> None:
        def choices() -> list[tuple[str, str]]:
            worded = sorted((str(capfirst(reason_words(code))), code) for code in codes)
            return [
                *((code, words) for words, code in worded),
                (OTHER, gettext("What a check of this shop says")),
            ]

        super().__init__(field_name="reason", label=_("Why"), choices=choices, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value == OTHER:
            return qs.exclude(reason__in=["", *REASONS])
        return super().filter(qs, value)


class ReferrerFilter(django_filters.CharFilter):
    """By a referrer's name, e-mail address or code."""

    def __init__(self, field_name: str = "advocate", **kwargs: Any) -> None:
        super().__init__(field_name=field_name, label=_("Referrer"), **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in django_filters.constants.EMPTY_VALUES:
            return qs
        return qs.filter(**{f"{self.field_name}__in": keys_of(advocates_like(value.strip()))})


class CameByFilter(django_filters.ChoiceFilter):
    """By something that is told apart in the summary. ``NONE`` finds those of which it is not known, or has none.

    What is no longer among the choices, as a page that was deleted, can still be asked for.
    """

    class field_class(django_filters.fields.ChoiceField):
        def valid_value(self, value: Any) -> bool:
            return "\0" not in str(value)


class LandingPageFilter(CameByFilter):
    """By the page that a friend was shown first."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            label=pgettext_lazy("referral", "Landing page"), choices=landing_page_choices, **kwargs
        )

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in django_filters.constants.EMPTY_VALUES:
            return qs
        if value == NONE:
            return qs.filter(Q(claim__visit=None) | Q(claim__visit__page__isnull=True))
        if not value.isdecimal() or len(value) > 18:
            return qs.none()
        return qs.filter(claim__visit__page=int(value))


class LanguageFilter(CameByFilter):
    """By the language in which a friend saw the shop."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label=_("Language"), choices=language_filter_choices, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in django_filters.constants.EMPTY_VALUES:
            return qs
        language = "" if value == NONE else value
        # Of one who came without a link, the invitation knows it.
        return qs.filter(
            Q(claim__visit__isnull=False, claim__visit__language=language)
            | Q(claim__visit__isnull=True, claim__language=language)
        )


class AudienceFilter(CameByFilter):
    """By the customers for whom the program is today."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(label=_("Who may refer"), choices=audience_choices, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in django_filters.constants.EMPTY_VALUES:
            return qs
        name = "" if value == NONE else value
        audiences = program_audiences(program_names())
        return qs.filter(program_key__in=[key for key, audience in audiences.items() if audience == name])


def landing_page_choices() -> list[tuple[str, str]]:
    """The pages of programs, in every language. One query."""
    chosen = Page.objects.filter(pk__in=Program.objects.values("landing_page"))
    pages = Page.objects.filter(translation_key__in=chosen.values("translation_key")).order_by("title", "pk")
    found = [(str(pk), title) for pk, title in pages.values_list("pk", "title")]
    return [*found, (NONE, gettext("No landing page: the link led on, or a code was typed"))]


def language_filter_choices() -> list[tuple[str, str]]:
    return [
        *((code, language_name(code)) for code, _name in language_choices()),
        (NONE, gettext("Not known")),
    ]


def audience_choices() -> list[tuple[str, str]]:
    names = set(program_audiences(program_names()).values()) - {""}
    return [*((name, name) for name in sorted(names, key=str.casefold)), (NONE, gettext("Everybody"))]


__all__ = [
    "NONE",
    "AudienceFilter",
    "LandingPageFilter",
    "LanguageFilter",
    "ReasonFilter",
    "ReferrerFilter",
    "SiteDatesFilter",
]
