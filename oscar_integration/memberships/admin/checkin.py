"""The desk: who may come, and noting that they came. By code, from the list, or by a name that is looked for.

What is typed is sent by POST: names and addresses stay out of URLs, and so out of logs.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from uuid import UUID, uuid4

from django.contrib.admin.utils import quote
from django.contrib.auth import get_user_model
from django.core.exceptions import PermissionDenied
from django.db.models import Max, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseRedirect
from django.http.response import HttpResponseBase
from django.middleware.csrf import get_token
from django.shortcuts import get_object_or_404, redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.formats import date_format
from django.utils.functional import cached_property
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.debug import sensitive_post_parameters
from django.views.generic import TemplateView
from wagtail.admin.menu import MenuItem
from wagtail.admin.paginator import WagtailPaginator
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import Column, Table
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin

from oscar_integration.memberships.admin.media import css
from oscar_integration.memberships.admin.names import MEMBERS
from oscar_integration.memberships.admin.policies import VIEW_MEMBERS
from oscar_integration.memberships.admin.words import member
from oscar_integration.memberships.codes import spaced
from oscar_integration.memberships.models import Membership, Plan, Use
from oscar_integration.memberships.uses import NotOpen, find_membership, is_used_up, record_use, undo_use
from wagtail_referrals import people
from wagtail_referrals.admin.listing import users_like
from wagtail_referrals.admin.words import person

PERMISSION: Final = "referral_memberships.record_use"
NAME: Final = "referral_memberships_checkin"
PER_PAGE: Final = 50
# Found by a name, and of today's visits.
MOST_FOUND: Final = 25
# Memberships that are looked through for those that were the last.
MOST_READ: Final = 200
MOST_VISITS: Final = 50
# Whose code comes twice within this time was more likely scanned twice than here twice.
A_MOMENT: Final = timedelta(minutes=15)
# Columns for which a tablet has no room: there their values stand below the name.
WIDE: Final = "referral-checkin__wide"
# What may be broken anywhere.
LONG: Final = "referral-checkin__long"

State = Membership.State


class DeskMixin:
    """For whoever stands at the desk, with this one permission."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(PERMISSION):
            raise PermissionDenied
        answer: HttpResponseBase = super().dispatch(request, *args, **kwargs)  # type: ignore[misc]
        return answer

    @property
    def plan_id(self) -> str:
        """By which plan the list is filtered; "" by none."""
        source = self.request.POST if self.request.method == "POST" else self.request.GET
        return str(source.get("plan", ""))

    def to_desk(self, use: Use | None = None) -> HttpResponseRedirect:
        """Back, to say what has become of this use."""
        query = {"plan": self.plan_id} if self.plan_id else {}
        if use is not None:
            query["done"] = str(use.pk)
        return redirect(reverse(NAME) + (f"?{urlencode(query)}" if query else ""))


class CheckInView(DeskMixin, WagtailAdminTemplateMixin, TemplateView):
    """The field, who may come, and today's visits. A code that is sent is a visit; other words are looked for."""

    template_name = "oscar_integration/memberships/admin/checkin.html"
    page_title = _("Check-in")
    header_icon = "check"

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [*self.breadcrumbs_items, {"url": "", "label": self.page_title}]

    @cached_property
    def now(self) -> datetime:
        return timezone.now()

    @method_decorator(sensitive_post_parameters("text"))
    def post(self, request: HttpRequest) -> HttpResponse:
        token = read_token(request)
        if token is None:
            return HttpResponseBadRequest()
        text = request.POST.get("text", "").strip()
        if not text:
            return self.to_desk()
        membership = find_membership(text)
        if membership is not None:
            return self.by_code(membership, token)
        found = found_by_name(text, self.now)
        if found:
            return self.answer(found=found[:MOST_FOUND], more=len(found) > MOST_FOUND)
        return self.answer(result=Refused(unknown_words(text)))

    def by_code(self, membership: Membership, token: UUID) -> HttpResponse:
        key = key_of(token, membership)
        last = membership.uses_made.filter(undone_at=None, used_at__gt=self.now - A_MOMENT).first()
        if last is not None and not Use.objects.filter(key=key).exists() and membership.is_open(self.now):
            return self.answer(result=Refused(who(membership), twice_words(last), again=membership))
        try:
            use = record_use(membership, key=key, how=Use.How.CODE, by=self.request.user)
        except NotOpen as refused:
            return self.answer(result=refusal(refused.membership, self.now))
        return self.to_desk(use)

    def answer(self, **context: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(**context))

    def get_context_data(
        self,
        found: list[Membership] | None = None,
        more: bool = False,
        result: Refused | Done | None = None,
        **kwargs: Any,
    ) -> dict[str, Any]:
        token = uuid4()
        context: dict[str, Any] = super().get_context_data(
            media=css() + Media(css={"all": [versioned_static("oscar_integration/memberships/checkin.css")]}),
            result=result or self.done,
            token=token.hex,
            plans=[(str(plan.pk), str(plan)) for plan in Plan.objects.all()],
            plan_id=self.plan_id,
            found=found,
            most=MOST_FOUND if more else None,
            desk_url=reverse(NAME),
            record_url=reverse(f"{NAME}_record"),
            undo_url=reverse(f"{NAME}_undo"),
            **visits_of_day(self.now),
            **kwargs,
        )
        if found is not None:
            rows = found
        else:
            page = WagtailPaginator(self.expected, PER_PAGE).get_page(self.request.GET.get("p"))
            rows = list(page.object_list)
            context |= {
                "page_obj": page,
                "elided_page_range": page.paginator.get_elided_page_range(page.number),
            }
        table = Table(self.columns(rows, token, is_search=found is not None), rows)
        return {**context, "table": table, "rows": rows}

    @cached_property
    def done(self) -> Done | None:
        """What the page before has done."""
        pk = number(self.request.GET.get("done", ""))
        if pk is None:
            return None
        uses = Use.objects.select_related("membership__user", "membership__plan", "recorded_by", "period")
        found = uses.filter(pk=pk).first()
        return Done(found) if found is not None else None

    @property
    def expected(self) -> QuerySet[Membership]:
        """Who may come now, by name."""
        rows = Membership.objects.filter(Membership.open_at(self.now)).select_related("user", "plan")
        if self.plan_id:
            # What makes no sense finds nothing.
            plan = number(self.plan_id)
            rows = rows.filter(plan=plan) if plan is not None else rows.none()
        return rows.order_by(*by_name(), "pk")

    def columns(self, rows: list[Membership], token: UUID, *, is_search: bool) -> list[Column]:
        last = last_visits(rows)
        wide = [
            Column("plan", label=_("Plan"), classname=WIDE),
            Column("uses_left", label=_("Uses left"), accessor=left_words, classname=WIDE),
            Column(
                "until", label=_("Until"), accessor=lambda row: until_words(row, self.now), classname=WIDE
            ),
            Column(
                "last",
                label=_("Last visit"),
                accessor=lambda row: moment_words(last.get(row.pk), self.now),
                classname=WIDE,
            ),
        ]
        if is_search:
            # Of two customers with the same name it tells which.
            wide.insert(
                0, Column("email", label=_("E-mail address"), accessor=address, classname=f"{WIDE} {LONG}")
            )
        return [
            MemberColumn(
                "customer",
                label=_("Customer"),
                accessor=member,
                now=self.now,
                others=wide,
                is_linked=self.request.user.has_perm(VIEW_MEMBERS),
            ),
            *wide,
            VisitColumn("visit", label=_("Visit"), token=token, now=self.now, plan_id=self.plan_id),
        ]


class RecordView(DeskMixin, View):
    """The button of one member."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        token, pk = read_token(request), number(request.POST.get("membership", ""))
        if token is None or pk is None:
            return HttpResponseBadRequest()
        membership = get_object_or_404(Membership, pk=pk)
        how = Use.How.CODE if request.POST.get("how") == Use.How.CODE else Use.How.LIST
        try:
            use = record_use(membership, key=key_of(token, membership), how=how, by=request.user)
        except NotOpen as refused:
            desk = CheckInView()
            desk.setup(request)
            return desk.answer(result=refusal(refused.membership, desk.now))
        return self.to_desk(use)


class UndoView(DeskMixin, View):
    """The member did not come after all. Whoever may record may undo, also what somebody else recorded."""

    http_method_names = ("post",)

    def post(self, request: HttpRequest) -> HttpResponse:
        pk = number(request.POST.get("use", ""))
        if pk is None:
            return HttpResponseBadRequest()
        return self.to_desk(undo_use(get_object_or_404(Use, pk=pk), request.user))


def read_token(request: HttpRequest) -> UUID | None:
    """What makes one form one visit, however often it is sent; ``None`` for none."""
    try:
        return UUID(request.POST.get("token", ""))
    except ValueError:
        return None


def number(text: str) -> int | None:
    """The id in a request; ``None`` for what can be none."""
    return int(text) if text.isdecimal() and len(text) <= 18 else None


def key_of(token: UUID, membership: Membership) -> str:
    """One form may be a visit of several members: of whoever goes back to it."""
    return f"{token.hex}:{membership.pk}"


# Finding


def by_name() -> list[str]:
    """The order in which a list of members is read, as far as the shop's accounts have names."""
    fields = {field.name for field in get_user_model()._meta.get_fields()}
    return [f"user__{name}" for name in ("last_name", "first_name") if name in fields]


def found_by_name(text: str, now: datetime) -> list[Membership]:
    """The members with this in their name or e-mail address: what is open first, and what was last of each plan.

    At the desk somebody wants to know why a membership is not open any more; the ones before it do not matter. At most
    ``MOST_FOUND`` and one. 2 queries: one that compares rows with each other takes minutes in a large shop.
    """
    rows = Membership.objects.filter(user__in=users_like(text).values("pk")).select_related("user", "plan")
    found = list(rows.filter(Membership.open_at(now)).order_by(*by_name(), "pk")[: MOST_FOUND + 1])
    shown = {(row.user_id, row.plan_id) for row in found}
    closed = rows.exclude(Membership.open_at(now)).order_by("-pk")
    others = []
    for row in closed[:MOST_READ] if len(found) <= MOST_FOUND else ():
        if (row.user_id, row.plan_id) not in shown:
            shown.add((row.user_id, row.plan_id))
            others.append(row)
    return (found + others)[: MOST_FOUND + 1]


def last_visits(rows: list[Membership]) -> dict[int, datetime]:
    """When each of them came last. 1 query."""
    visits = Use.objects.filter(membership__in=rows, undone_at=None)
    return dict(visits.values_list("membership").annotate(last=Max("used_at")))


def visits_of_day(now: datetime) -> dict[str, Any]:
    """Today's visits, the newest first, and how many there were; undone ones stay in the list. 2 queries."""
    midnight = timezone.localtime(now).replace(hour=0, minute=0, second=0, microsecond=0)
    visits = Use.objects.filter(used_at__gte=midnight, used_at__lte=now)
    newest = visits.select_related("membership__user", "membership__plan", "recorded_by")
    rows = list(newest.order_by("-used_at", "-pk")[: MOST_VISITS + 1])
    return {
        "visits": [
            {"use": use, "customer": member(use.membership), "by": person(use.recorded_by)}
            for use in rows[:MOST_VISITS]
        ],
        "visits_today": visits.filter(undone_at=None).count(),
        "most_visits": MOST_VISITS if len(rows) > MOST_VISITS else None,
    }


# Cells


class MemberColumn(Column):
    """Who it is, and where a payment is due. On a narrow screen it holds what the other columns say."""

    cell_template_name = "oscar_integration/memberships/admin/checkin_member_cell.html"

    def __init__(
        self, name: str, *, now: datetime, others: list[Column], is_linked: bool, **kwargs: Any
    ) -> None:
        super().__init__(name, **kwargs)
        self.now, self.others, self.is_linked = now, others, is_linked

    def get_cell_context_data(self, instance: Membership, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        return {
            **context,
            "is_due": instance.is_open(self.now) and instance.state == State.PAST_DUE,
            "url": reverse(f"{MEMBERS}:inspect", args=[quote(instance.pk)]) if self.is_linked else "",
            "others": [(column.label, column.get_value(instance)) for column in self.others],
        }


class VisitColumn(Column):
    """The button, or why there is none."""

    cell_template_name = "oscar_integration/memberships/admin/checkin_visit_cell.html"

    def __init__(self, name: str, *, token: UUID, now: datetime, plan_id: str, **kwargs: Any) -> None:
        super().__init__(name, **kwargs)
        self.token, self.now, self.plan_id = token, now, plan_id

    def get_cell_context_data(self, instance: Membership, parent_context: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_cell_context_data(instance, parent_context)
        is_open = instance.is_open(self.now)
        return {
            **context,
            "membership": instance,
            "who": who(instance),
            "why_not": "" if is_open else why_not(instance, self.now),
            "token": self.token.hex,
            "plan_id": self.plan_id,
            "record_url": reverse(f"{NAME}_record"),
            "csrf_token": get_token(parent_context["request"]),
        }


def address(membership: Membership) -> str:
    user: Any = membership.user
    return getattr(user, user.get_email_field_name(), "") if user is not None else ""


def left_words(membership: Membership) -> str:
    if membership.uses_left is None:
        return gettext("any number")
    return str(membership.uses_left)


def until_words(membership: Membership, now: datetime) -> str:
    """The last day; in the time of grace that of the access."""
    end = membership.ends_at
    if membership.is_open(now) and end is not None and end <= now:
        end = membership.access_until
    return day_words(end) if end is not None else ""


def day_words(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "SHORT_DATE_FORMAT")


def time_words(moment: datetime) -> str:
    return date_format(timezone.localtime(moment), "TIME_FORMAT")


def moment_words(moment: datetime | None, now: datetime) -> str:
    """ "today, 10:32", else the day."""
    if moment is None:
        return ""
    if days_ago(moment, now) == 0:
        return gettext("today, %(time)s") % {"time": time_words(moment)}
    return day_words(moment)


def days_ago(moment: datetime, now: datetime) -> int:
    return (timezone.localtime(now).date() - timezone.localtime(moment).date()).days


# What has become of it


class Refused:
    """No visit: of whom, and why not. ``again``: the membership whose visit may be recorded all the same."""

    is_done = False

    def __init__(self, words: str, why: str = "", *, again: Membership | None = None) -> None:
        self.words, self.notes, self.again = words, [why] if why else [], again


class Done:
    """A visit that was recorded, or undone since. Needs the use's membership, with user and plan, and its period."""

    is_done = True

    def __init__(self, use: Use) -> None:
        self.use = use
        self.by = person(use.recorded_by)

    @property
    def words(self) -> str:
        return undone_words(self.use) if self.use.undone_at else done_words(self.use)

    @property
    def notes(self) -> list[str]:
        """What to tell the customer."""
        membership = self.use.membership
        if membership.state != State.PAST_DUE or self.use.undone_at or membership.access_until is None:
            return []
        day = {"day": date_format(timezone.localtime(membership.access_until), "DATE_FORMAT")}
        return [gettext("A payment is due: the card was declined. The access goes on until %(day)s.") % day]


def who(membership: Membership) -> str:
    """Whose and which. Needs ``user`` and ``plan``."""
    return gettext("%(customer)s, %(plan)s") % {"customer": member(membership), "plan": membership.plan}


def done_words(use: Use) -> str:
    membership = use.membership
    values = {"member": who(membership), "count": membership.uses_left}
    if use.period.uses is None or membership.uses_left is None:
        return gettext("%(member)s: visit recorded.") % values
    words = ngettext(
        "%(member)s: visit recorded, %(count)s left.",
        "%(member)s: visit recorded, %(count)s left.",
        membership.uses_left,
    )
    return words % values


def undone_words(use: Use) -> str:
    membership = use.membership
    values = {"member": who(membership), "count": membership.uses_left}
    if membership.state == State.ENDED:
        return gettext("%(member)s: visit undone. The membership has ended all the same.") % values
    if membership.uses_left is None:
        return gettext("%(member)s: visit undone.") % values
    words = ngettext(
        "%(member)s: visit undone, %(count)s left.",
        "%(member)s: visit undone, %(count)s left.",
        membership.uses_left,
    )
    return words % values


def twice_words(last: Use) -> str:
    return gettext("A visit was recorded at %(time)s already. Is this another one?") % {
        "time": time_words(last.used_at)
    }


def unknown_words(text: str) -> str:
    code = people.normalise_code(text)
    if code and people.find_code(code) is not None:
        # Both kinds of code look the same, and a customer may show the wrong one.
        return gettext("%(code)s is a code for inviting friends, not that of a membership.") % {
            "code": spaced(code)
        }
    if code:
        return gettext("No membership has the code %(code)s.") % {"code": spaced(code)}
    return gettext("No member is called “%(text)s”, and it is no code.") % {"text": text}


def refusal(membership: Membership, now: datetime) -> Refused:
    return Refused(who(membership), why_not(membership, now))


def why_not(membership: Membership, now: datetime) -> str:
    """Why this membership opens no door now, as a sentence."""
    if membership.state == State.WAITING:
        if membership.user_id is None:
            return gettext("It has not begun: the customer has no account yet.")
        return gettext("It has not begun: its order is not paid yet.")
    if membership.starts_at is not None and membership.starts_at > now:
        day = date_format(timezone.localtime(membership.starts_at), "DATE_FORMAT")
        return gettext("It has not begun: it runs from %(day)s.") % {"day": day}
    if is_used_up(membership):
        return gettext("No uses are left.")
    end = membership.access_until or membership.ends_at
    reason = {"reason": membership.get_ended_reason_display() or gettext("its time was over")}
    if end is None:
        return gettext("It has ended: %(reason)s.") % reason
    days = days_ago(end, now)
    if days == 0:
        return gettext("It ended today: %(reason)s.") % reason
    if days == 1:
        return gettext("It ended yesterday: %(reason)s.") % reason
    reason["day"] = date_format(timezone.localtime(end), "DATE_FORMAT")
    return gettext("It ended on %(day)s: %(reason)s.") % reason


# Wires


class CheckInMenuItem(MenuItem):
    def is_shown(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm(PERMISSION))


def checkin_item() -> MenuItem:
    return CheckInMenuItem(
        _("Check-in"), reverse(NAME), name="membership-checkin", icon_name="check", order=100
    )


def checkin_urls() -> list[URLPattern]:
    return [
        path("memberships/check-in/", CheckInView.as_view(), name=NAME),
        path("memberships/check-in/record/", RecordView.as_view(), name=f"{NAME}_record"),
        path("memberships/check-in/undo/", UndoView.as_view(), name=f"{NAME}_undo"),
    ]
