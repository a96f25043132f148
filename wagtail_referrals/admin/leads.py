"""Addresses that visitors left to keep an invitation: to look one up, and to delete it for who asks. No export."""

from __future__ import annotations

from typing import Any

from django.db.models import OuterRef, Q, QuerySet, Subquery
from django.urls import URLPattern, path
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy
from wagtail.admin.views import generic

from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
)
from wagtail_referrals.admin.words import advocate_name
from wagtail_referrals.messages.models import Message
from wagtail_referrals.tracking.models import Lead


def day_words(moment: Any) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT") if moment else ""


class LeadIndexView(RecordIndexView):
    results_template_name = "wagtail_referrals/admin/leads_results.html"
    # Nothing is taken away of people who are no customers.
    FORMATS = ()
    related = ("claim__advocate__user",)
    search_fields = ("email",)

    def get_base_queryset(self) -> QuerySet[Any]:
        mails = Message.objects.filter(lead=OuterRef("pk"), sent_at__isnull=False).order_by("sent_at")
        rows: QuerySet[Any] = super().get_base_queryset()
        return rows.annotate(first_sent_at=Subquery(mails.values("sent_at")[:1]))

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn("email", label=_("E-mail address"), get_url=self.get_inspect_url),
            Column(
                "advocate", label=_("Invited by"), accessor=lambda lead: advocate_name(lead.claim.advocate)
            ),
            Column("state", label=_("Invitation"), accessor="claim.get_state_display", classname=MINOR),
            Column("until", label=_("Until"), accessor=lambda lead: day_words(lead.claim.expires_at)),
            MomentColumn("first_sent_at", label=pgettext_lazy("invitation", "Sent")),
            MomentColumn("opened_at", label=_("Opened")),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def find(self, text: str) -> Q:
        return Q(email__icontains=text)


class LeadDeleteView(generic.DeleteView):
    """The address and nothing else: the invitation stays good, and no mail is sent any more."""

    def get_usage_url(self) -> None:
        """Nothing refers to it."""

    def get_page_subtitle(self) -> str:
        return str(self.object.email)

    @property
    def confirmation_message(self) -> Any:
        return _(
            "The address is deleted at once, and the link in its e-mail stops working. The invitation stays good."
        )


class LeadViewSet(RecordViewSet):
    model = Lead
    name = "wagtail_referrals_leads"
    url_prefix = "referrals/kept-invitations"
    icon = "mail"
    menu_label = _("Invitations kept by e-mail")
    menu_name = "referral-leads"
    index_view_class = LeadIndexView
    delete_view_class = LeadDeleteView
    search_fields = ("email",)
    inspect_view_fields = ["email", "language", "consent", "wants_reminders", "created_at", "opened_at"]
    ordering = ("-created_at", "-pk")

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            *super().get_urlpatterns(),
            path(f"delete/<{self.pk_path_converter}:pk>/", self.delete_view, name="delete"),
        ]
