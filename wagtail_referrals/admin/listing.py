"""What all listings of records have in common."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.db.models import Model, Q, QuerySet
from django.urls import NoReverseMatch, URLPattern, path, reverse
from django.utils import timezone
from django.utils.formats import date_format
from wagtail.admin.admin_url_finder import ModelAdminURLFinder
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, StatusTagColumn, TitleColumn
from wagtail.admin.views import generic
from wagtail.admin.viewsets.model import ModelViewSet

from wagtail_referrals.admin.policies import POLICIES, LimitedPolicy
from wagtail_referrals.people import normalise_code
from wagtail_referrals.people.models import Advocate, Code


class SafeFilters:
    """A filter that makes no sense finds nothing. Wagtail would show, and export, everything."""

    filters: Any

    def filter_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.filters and not self.filters.is_valid():
            return queryset.none()
        return super().filter_queryset(queryset)  # type: ignore[misc]


class RecordIndexView(SafeFilters, generic.IndexView):
    """A listing with explicit columns, a page of rows at a time."""

    # Exports of whole tables are not offered: see SpreadsheetExportMixin.setup.
    FORMATS = ()
    related: Sequence[str] = ()
    # What ``find`` looks through; Wagtail shows the search field when there is something here.
    search_fields: Sequence[str] = ()

    def get_base_queryset(self) -> QuerySet[Any]:
        return super().get_base_queryset().select_related(*self.related)

    def search_queryset(self, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if not self.is_searching:
            return queryset
        return queryset.filter(self.find(self.search_query.strip()))

    def find(self, text: str) -> Q:
        """Rows that belong to what was typed into the search field."""
        raise NotImplementedError

    def paginate_queryset(self, queryset: QuerySet[Any], page_size: int) -> Any:
        paginator, page, rows, others = super().paginate_queryset(queryset, page_size)
        page.object_list = rows = list(rows)
        self.decorate(rows)
        return paginator, page, rows, others

    def decorate(self, rows: list[Any]) -> None:
        """Add to the rows of one page what would otherwise cost queries for each."""


class RecordFinder(ModelAdminURLFinder):
    """Where Wagtail's reports lead to: the page of a record, for who may look at it. Records have no form."""

    policy: LimitedPolicy
    url_name: str

    def get_edit_url(self, instance: Model) -> str | None:
        if self.user is not None and not self.policy.user_has_permission(self.user, "view"):
            return None
        try:
            return reverse(self.url_name, args=[quote(instance.pk)])
        except NoReverseMatch:
            # A movement is one line of its listing.
            return None


class RecordViewSet(ModelViewSet):
    """A listing and a page for each record. Nothing to add, edit, copy, delete or choose."""

    index_view_class = RecordIndexView
    inspect_view_enabled = True
    copy_view_enabled = False
    add_to_reference_index = False
    list_per_page = 25

    @property
    def permission_policy(self) -> LimitedPolicy:
        # Wagtail 8 would find it by itself, 7.4 would take one without limits.
        return POLICIES[self.model]

    @property
    def url_finder_class(self) -> type[RecordFinder]:
        values = {"policy": self.permission_policy, "url_name": self.get_url_name("inspect")}
        return type("Finder", (RecordFinder,), values)

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            path(f"inspect/<{self.pk_path_converter}:pk>/", self.inspect_view, name="inspect"),
        ]


# Left out where the screen is narrow.
MINOR = "referral-minor"


class RecordColumn(TitleColumn):
    """What the record is called, leading to its page; brings the style of our listings."""

    class Media:
        css = {"all": [versioned_static("wagtail_referrals/admin/admin.css")]}

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname="referral-title", **kwargs)


class MomentColumn(Column):
    """A date; the hour is for the page of the record."""

    def __init__(self, name: str, **kwargs: Any) -> None:
        super().__init__(name, classname=MINOR, **kwargs)

    def get_value(self, instance: Model) -> str:
        value: datetime | None = super().get_value(instance)
        return date_format(timezone.localtime(value), "SHORT_DATE_FORMAT") if value else ""


def user_columns() -> list[str]:
    """The fields under which a customer is found, as lookups from the user."""
    user_model = get_user_model()
    fields = {field.name for field in user_model._meta.get_fields()}
    wanted = (user_model.get_email_field_name(), "first_name", "last_name", user_model.USERNAME_FIELD)
    return list(dict.fromkeys(name for name in wanted if name in fields))


def users_like(text: str) -> QuerySet[Any]:
    """Customers with this in their name or e-mail address; first and last name may both be typed."""
    if "\0" in text:
        # No name has it, and PostgreSQL refuses to look for it.
        return get_user_model().objects.none()
    query = Q()
    for word in text.split():
        query &= Q(*[(f"{name}__icontains", word) for name in user_columns()], _connector=Q.OR)
    return get_user_model().objects.filter(query)


def advocates_like(text: str) -> QuerySet[Advocate]:
    """Advocates with this name, e-mail address or code."""
    code = normalise_code(text)
    if code:
        holders = Code.objects.filter(text=code).values("advocate")
        if holders.exists():
            return Advocate.objects.filter(pk__in=holders)
    if "\0" in text:
        return Advocate.objects.none()
    return Advocate.objects.filter(Q(public_name__icontains=text) | Q(user__in=users_like(text)))


__all__ = [
    "MINOR",
    "Column",
    "MomentColumn",
    "RecordColumn",
    "RecordIndexView",
    "RecordViewSet",
    "SafeFilters",
    "StatusTagColumn",
    "TitleColumn",
    "advocates_like",
    "user_columns",
    "users_like",
]
