"""Published terms: every version, frozen, in words."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import django_filters
from django.db.models import Q, QuerySet
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import get_language_info, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.views import generic

from wagtail_referrals.admin.listing import Column, MomentColumn, RecordColumn, RecordIndexView, RecordViewSet
from wagtail_referrals.programs import parse, program_names, sentence
from wagtail_referrals.programs.models import Terms


def program_choices() -> list[tuple[str, str]]:
    return sorted(program_names().items(), key=lambda item: item[1].casefold())


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

    class Meta:
        model = Terms
        fields: list[str] = []


class TermsIndexView(RecordIndexView):
    search_fields = ("data",)

    @cached_property
    def columns(self) -> list[Column]:
        return [
            RecordColumn(
                "name",
                label=_("Program and version"),
                accessor=str,
                get_url=self.get_inspect_url,
                width="26%",
            ),
            Column("sentence", label=_("In words"), accessor=lambda terms: sentence(parse(terms))),
            MomentColumn(
                "created_at", label=pgettext_lazy("terms", "Published"), sort_key="created_at", width="14%"
            ),
        ]

    def find(self, text: str) -> Q:
        return Q(data__name__icontains=text)


class TermsInspectView(generic.InspectView):
    template_name = "wagtail_referrals/admin/terms.html"
    page_title = _("Published terms")

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        data = parse(self.object)
        texts = []
        for code, text in data.texts.items():
            try:
                name = capfirst(get_language_info(code)["name_local"])
            except KeyError:
                name = code
            texts.append((name, text))
        return super().get_context_data(
            terms=self.object, data=data, sentence=sentence(data), texts=texts, **kwargs
        )

    def get_fields(self) -> list[str]:
        return []


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
