"""Dates in filters: days of the site's time zone, as in the overview, whatever the reader's is."""

from __future__ import annotations

from typing import Any

import django_filters
from django.db.models import QuerySet
from django.utils import timezone
from wagtail.admin.filters import DateRangePickerWidget

from wagtail_referrals.insights import Period


class SiteDatesFilter(django_filters.DateFromToRangeFilter):
    """From the beginning of the first day to the end of the last one."""

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
