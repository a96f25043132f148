"""Published terms: every version, frozen, in words; who stands on it; and what differs between two."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import django_filters
from django.contrib.admin.utils import quote
from django.db.models import Count, Max, Q, QuerySet
from django.http import Http404
from django.shortcuts import get_object_or_404
from django.urls import URLPattern, path, reverse
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, pgettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import TemplateView
from wagtail.admin.compare import diff_text
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.ui.tables import StatusTagColumn
from wagtail.admin.views import generic
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets import BooleanRadioSelect
from wagtail.admin.widgets.button import HeaderButton

from wagtail_referrals.admin.columns import FileColumn
from wagtail_referrals.admin.filters import SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
)
from wagtail_referrals.admin.words import person
from wagtail_referrals.programs import (
    SCHEDULED,
    differences,
    language_name,
    parse,
    program_names,
    publishers,
    sentence,
    versions_in_force,
)
from wagtail_referrals.programs.models import Terms
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.tracking.models import Claim


def program_choices() -> list[tuple[str, str]]:
    return sorted(program_names().items(), key=lambda item: item[1].casefold())


def version_choices() -> list[tuple[str, str]]:
    """Every version of every program, by name and number. One query."""
    rows = Terms.objects.values_list("pk", "data__name", "number")
    named = sorted((str(name or "").casefold(), number, pk, name) for pk, name, number in rows)
    return [(str(pk), f"{name} ({number})") for _key, number, pk, name in named]


class ProgramFilter(django_filters.ChoiceFilter):
    """By the program's key, so that programs that were deleted can still be looked at."""

    def __init__(self, field_name: str, **kwargs: Any) -> None:
        super().__init__(field_name=field_name, label=_("Program"), choices=program_choices, **kwargs)

    def filter(self, qs: QuerySet[Any], value: str) -> QuerySet[Any]:
        if value in django_filters.constants.EMPTY_VALUES:
            return qs
        return qs.filter(**{self.field_name: UUID(value)})


class TermsFilterSet(WagtailFilterSet):
    program = ProgramFilter("program_key")

    in_force = django_filters.BooleanFilter(
        label=pgettext_lazy("terms", "In force"), method="filter_in_force", widget=BooleanRadioSelect
    )
    created_at = SiteDatesFilter(label=pgettext_lazy("terms", "Published"))

    class Meta:
        model = Terms
        fields: list[str] = []

    def filter_in_force(self, queryset: QuerySet[Terms], name: str, value: bool | None) -> QuerySet[Terms]:
        if value is None:
            return queryset
        keys = Terms.objects.order_by().values_list("program_key", flat=True).distinct()
        in_force = versions_in_force(keys)
        return queryset.filter(pk__in=in_force) if value else queryset.exclude(pk__in=in_force)


class TermsIndexView(RecordIndexView):
    related = ("program",)
    search_fields = ("data",)

    @cached_property
    def columns(self) -> list[Column]:
        return [
            RecordColumn(
                "name",
                label=_("Program and version"),
                accessor=str,
                get_url=self.get_inspect_url,
                width="20%",
            ),
            Column(
                "sentence",
                label=_("In words"),
                accessor=lambda terms: sentence(parse(terms)),
                classname=MINOR,
            ),
            TagColumn(
                "state",
                label=_("State"),
                accessor=lambda terms: self.stands[terms.pk].state,
                primary=lambda terms: self.stands[terms.pk].is_in_force,
                width="10%",
            ),
            StandingColumn(
                "standing",
                label=_("Friends with it"),
                accessor=lambda terms: self.stands[terms.pk],
                width="12%",
            ),
            MomentColumn(
                "created_at", label=pgettext_lazy("terms", "Published"), sort_key="created_at", width="10%"
            ),
            Column(
                "publisher",
                label=_("Published by"),
                accessor=lambda terms: self.stands[terms.pk].publisher_words,
                classname=MINOR,
                width="10%",
            ),
        ]

    def decorate(self, rows: list[Terms]) -> None:
        self.stands = standings(rows, self.request.user)

    @cached_property
    def header_buttons(self) -> list[Any]:
        buttons: list[Any] = list(super().header_buttons)
        key = self.request.GET.get("program", "")
        if key in program_names():
            buttons.append(HeaderButton(_("Compare versions"), url=compare_url(key), icon_name="history"))
        return buttons

    def find(self, text: str) -> Q:
        return Q(data__name__icontains=text)


class TagColumn(StatusTagColumn):
    """Without a tag where there is nothing to say."""

    cell_template_name = "wagtail_referrals/admin/tag_cell.html"


class StandingColumn(Column):
    """How many stand on a version, with the way to their list."""

    cell_template_name = "wagtail_referrals/admin/standing_cell.html"

    def export_columns(self) -> Iterator[FileColumn]:
        yield FileColumn(self.label, lambda terms: self.get_value(terms).referrals)
        yield FileColumn(_("Invitations"), lambda terms: self.get_value(terms).claims)


@dataclass(frozen=True)
class Standing:
    """What one version is to others. ``referrals_url`` is "" for those who may not see that list."""

    is_newest: bool
    is_in_force: bool
    referrals: int
    referrals_url: str
    claims: int
    publisher: str
    # The publisher set the day; it came by itself.
    was_scheduled: bool

    @property
    def publisher_words(self) -> str:
        if self.publisher and self.was_scheduled:
            return gettext("scheduled by %(name)s") % {"name": self.publisher}
        return self.publisher

    @property
    def state(self) -> str:
        if self.is_in_force:
            return pgettext("terms", "in force")
        return pgettext("terms", "newest") if self.is_newest else ""


def standings(versions: list[Terms], viewer: Any) -> dict[int, Standing]:
    """By id of the terms. A constant number of queries. Needs ``terms.program``."""
    ids = [terms.pk for terms in versions]
    keys = {terms.program_key for terms in versions}
    newest = dict(
        Terms.objects.filter(program_key__in=keys)
        .order_by()
        .values_list("program_key")
        .annotate(Max("number"))
    )
    in_force = versions_in_force(keys)
    counts, saved = _by_terms(Referral, ids), _by_terms(Claim, ids)
    published = publishers(versions)
    may_see = viewer.has_perm("wagtail_referrals.view_referral")
    return {
        terms.pk: Standing(
            is_newest=terms.number == newest[terms.program_key],
            is_in_force=terms.pk in in_force,
            referrals=counts.get(terms.pk, 0),
            referrals_url=f"{reverse('wagtail_referrals_referrals:index')}?terms={terms.pk}"
            if may_see
            else "",
            # A referral is made of one of them, and has its terms.
            claims=saved.get(terms.pk, 0) - counts.get(terms.pk, 0),
            publisher=person(published[terms.pk].user) if terms.pk in published else "",
            was_scheduled=terms.pk in published and published[terms.pk].action == SCHEDULED,
        )
        for terms in versions
    }


def _by_terms(model: Any, ids: list[int]) -> dict[int, int]:
    """How many rows there are of each. Counted from the index of ``terms``, so nothing else of them is asked."""
    rows = model.objects.filter(terms__in=ids).order_by()
    return dict(rows.values_list("terms").annotate(Count("terms")))


def compare_url(program_key: Any, before: int | None = None, after: int | None = None) -> str:
    """The comparison of two versions by number; of the newest one with the one before, by default."""
    query = {"program": str(program_key), "from": before, "to": after}
    given = {name: value for name, value in query.items() if value is not None}
    return f"{reverse('wagtail_referrals_terms:compare')}?{urlencode(given)}"


class TermsInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/terms.html"
    page_title = _("Published terms")

    def get_object(self, queryset: Any = None) -> Terms:
        return get_object_or_404(Terms.objects.select_related("program"), pk=self.pk)

    @cached_property
    def header_buttons(self) -> list[Any]:
        others = Terms.objects.filter(program_key=self.object.program_key).exclude(pk=self.object.pk)
        earlier = others.filter(number__lt=self.object.number).order_by("-number").first()
        if earlier is not None:
            url = compare_url(self.object.program_key, earlier.number, self.object.number)
            return [HeaderButton(_("Compare versions"), url=url, icon_name="history")]
        later = others.order_by("number").first()
        if later is not None:
            url = compare_url(self.object.program_key, self.object.number, later.number)
            return [HeaderButton(_("Compare versions"), url=url, icon_name="history")]
        return []

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        data = parse(self.object)
        return super().get_context_data(
            terms=self.object,
            data=data,
            sentence=sentence(data),
            standing=standings([self.object], self.request.user)[self.object.pk],
            versions_url=f"{reverse('wagtail_referrals_terms:index')}?program={self.object.program_key}",
            texts=[(language_name(code), text) for code, text in data.texts.items()],
            **kwargs,
        )

    def get_fields(self) -> list[str]:
        return []


class TermsCompareView(PermissionCheckedMixin, WagtailAdminTemplateMixin, TemplateView):
    """What differs between two versions of a program's terms. ``?program=<key>&from=<number>&to=<number>``."""

    model = Terms
    permission_required = "view"
    template_name = "wagtail_referrals/admin/terms_compare.html"
    page_title = _("Compare versions")
    header_icon = "history"

    @cached_property
    def versions(self) -> list[Terms]:
        """Of the program, the newest first."""
        try:
            key = UUID(self.request.GET.get("program", ""))
        except ValueError:
            raise Http404 from None
        versions = list(Terms.objects.filter(program_key=key).select_related("program").order_by("-number"))
        if not versions:
            raise Http404
        return versions

    def version(self, name: str, default: Terms) -> Terms:
        wanted = self.request.GET.get(name)
        if not wanted:
            return default
        for terms in self.versions:
            if str(terms.number) == wanted:
                return terms
        raise Http404

    @property
    def versions_url(self) -> str:
        return f"{reverse('wagtail_referrals_terms:index')}?program={self.versions[0].program_key}"

    def get_page_subtitle(self) -> str:
        return str(self.versions[0].data.get("name", ""))

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": self.versions_url, "label": capfirst(Terms._meta.verbose_name_plural or "")},
            {"url": "", "label": self.get_page_title(), "sublabel": self.get_page_subtitle()},
        ]

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        newest = self.versions[0]
        after = self.version("to", newest)
        following = self.versions.index(after) + 1
        before = self.version("from", self.versions[min(following, len(self.versions) - 1)])
        stands = standings(list({before, after}), self.request.user)
        return super().get_context_data(
            versions=self.versions,
            program_key=newest.program_key,
            versions_url=self.versions_url,
            sides=[
                {
                    "terms": terms,
                    "standing": stands[terms.pk],
                    "sentence": sentence(parse(terms)),
                    "url": reverse("wagtail_referrals_terms:inspect", args=[quote(terms.pk)]),
                }
                for terms in (before, after)
            ],
            before=before,
            after=after,
            sections=[
                {
                    "title": section.title,
                    "changes": [
                        {
                            "change": change,
                            "diff": diff_text(change.before, change.after).to_html()
                            if change.is_text
                            else "",
                        }
                        for change in section.changes
                    ],
                }
                for section in differences(parse(before), parse(after))
            ],
            **kwargs,
        )


class TermsViewSet(RecordViewSet):
    model = Terms
    name = "wagtail_referrals_terms"
    url_prefix = "referrals/terms"
    icon = "doc-full"
    menu_label = _("Terms")
    menu_name = "referral-terms"
    index_view_class = TermsIndexView
    inspect_view_class = TermsInspectView
    filterset_class = TermsFilterSet
    search_fields = ("data",)
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path("compare/", self.construct_view(TermsCompareView), name="compare"),
        ]
