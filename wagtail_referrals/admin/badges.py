"""Badges: a listing with pictures, and a form with a name in each language."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from django.db.models import QuerySet
from django.forms import Media
from django.http import HttpRequest
from django.template.loader import render_to_string
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from wagtail.admin.forms import WagtailAdminModelForm
from wagtail.admin.panels import FieldPanel, FieldRowPanel, ObjectList
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column
from wagtail.snippets.views.snippets import CreateView, IndexView, SnippetViewSet

from wagtail_referrals.admin.program_form import RowsPanel
from wagtail_referrals.programs.models import language_choices
from wagtail_referrals.recognition.models import Badge, BadgeName

PICTURE: Final = "wagtail_referrals/includes/badge.html"


class BadgeNameForm(WagtailAdminModelForm):
    language = forms.ChoiceField(label=_("Language"), choices=language_choices)


class DrawingSelect(forms.RadioSelect):
    """Drawings beside their names."""

    option_template_name = "wagtail_referrals/widgets/drawing.html"


class PictureColumn(Column):
    def get_value(self, instance: Badge) -> str:
        return render_to_string(PICTURE, {"icon": instance.icon, "picture": instance.picture})


class BadgeIndexView(IndexView):
    # A handful of rows without people or amounts: nothing to take away.
    FORMATS = ()
    is_searchable = False

    @cached_property
    def columns(self) -> list[Column]:
        return [
            PictureColumn("picture", label=_("Picture"), width="8%"),
            self._get_title_column("__str__", classname="referral-title"),
        ]

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        # Oscar's context processor gives every page its own, which the listing would show.
        context["search_form"] = None
        context["media"] += _css()
        return context


def _css() -> Media:
    return Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]})


class BadgeForm(WagtailAdminModelForm):
    @property
    def media(self) -> Media:
        return super().media + _css()


class BadgeCreateView(CreateView):
    def get_initial_form_instance(self) -> Badge | None:
        if self.request.method != "GET":
            return None
        badge = Badge()
        badge.names = [BadgeName(language=code) for code, _name in language_choices()]
        return badge


class BadgeViewSet(SnippetViewSet):
    model = Badge
    icon = "pick"
    menu_label = _("Badges")
    menu_name = "referral-badges"
    admin_url_namespace = "wagtail_referrals_badges"
    base_url_path = "referrals/badges"
    index_view_class = BadgeIndexView
    add_view_class = BadgeCreateView
    ordering = "pk"
    copy_view_enabled = False
    add_to_reference_index = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[Badge]:
        return Badge.objects.select_related("picture").prefetch_related("names")

    def register_chooser_viewset(self) -> None:
        """None: the form of a program lists them all."""

    def get_edit_handler(self) -> Any:
        return ObjectList(
            [
                RowsPanel(
                    "names",
                    panels=[FieldRowPanel([FieldPanel("language"), FieldPanel("name")])],
                    row_form_class=BadgeNameForm,
                    heading=_("Name, by language"),
                    label=_("language"),
                    min_num=1,
                ),
                FieldPanel("icon", widget=DrawingSelect),
                FieldPanel("picture"),
            ],
            base_form_class=BadgeForm,
        ).bind_to_model(self.model)
