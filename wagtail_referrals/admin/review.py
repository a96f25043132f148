"""The review queue: what a check held, with what it said and what is at stake; decided alone or many at once."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any, Final

import django_filters
from django import forms
from django.contrib.admin.utils import quote
from django.core import signing
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.forms import Media
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.functional import cached_property
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _
from django.views.generic import FormView
from wagtail.admin import messages
from wagtail.admin.filters import WagtailFilterSet
from wagtail.admin.staticfiles import versioned_static
from wagtail.admin.ui.tables import BulkActionsCheckboxColumn
from wagtail.admin.views.generic.base import WagtailAdminTemplateMixin
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin
from wagtail.admin.widgets import AdminDateInput

from wagtail_referrals import credit
from wagtail_referrals.admin.counts import REVIEW_COUNT, CountedViewSet, forget_count
from wagtail_referrals.admin.filters import ReferrerFilter, SiteDatesFilter
from wagtail_referrals.admin.listing import (
    MINOR,
    Column,
    MomentColumn,
    RecordColumn,
    RecordIndexView,
    RecordViewSet,
    advocates_like,
    keys_of,
    users_like,
)
from wagtail_referrals.admin.policies import REVIEW
from wagtail_referrals.admin.selection import MOST, SelectionMixin
from wagtail_referrals.admin.terms import ProgramFilter
from wagtail_referrals.admin.words import (
    advocate_name,
    friend_name,
    is_money,
    person,
    reward_amount,
    reward_words,
)
from wagtail_referrals.referrals import check_name, reason_words
from wagtail_referrals.referrals.models import Purchase, Referral
from wagtail_referrals.rewards import settle
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.trust import Reviewed, checks, postpone_all, review_all, to_review
from wagtail_referrals.trust.models import Decision

logger = logging.getLogger("wagtail_referrals")

NAMESPACE: Final = "wagtail_referrals_review"
# Which referrals the queue shows: those that are to be asked about later, instead of those that wait now.
WHEN: Final = "when"
LATER: Final = "later"
# So long somebody waits for rewards to be given, in seconds. The sweep gives the others.
PATIENCE: Final = 10.0
# A page with a decision on it that is older says nothing about the shop of today.
PAGE_AGE: Final = timedelta(hours=12)
# What is put off for longer would be forgotten.
LONGEST_WAIT: Final = timedelta(days=366)
_SALT: Final = "wagtail_referrals.review"


# What is at stake


@dataclass
class Case:
    """What a reviewer reads about a referral. ``stakes``: what waits for the decision, a reward each, in words."""

    objections: list[str] = field(default_factory=list)
    since: datetime | None = None
    stakes: list[str] = field(default_factory=list)
    rewards: list[Reward] = field(default_factory=list)
    seal: str = ""


def cases_of(referrals: Sequence[Referral]) -> dict[int, Case]:
    """By the referrals' ids. Two queries, whatever the number."""
    pks = [referral.pk for referral in referrals]
    found = {pk: Case() for pk in pks}
    decisions = _decisions(pks)
    for decision in decisions:
        if decision.outcome == Decision.Outcome.HOLD:
            case = found[decision.referral_id]
            case.objections.append(objection_words(decision))
            case.since = min(case.since or decision.created_at, decision.created_at)
    rewards = _rewards(pks).select_related("terms", "user")
    for reward in rewards:
        case = found[reward.referral_id]
        case.rewards.append(reward)
        case.stakes.append(stake_words(reward))
    for pk, seal in _seals(pks, decisions, rewards).items():
        found[pk].seal = seal
    return found


def _decisions(pks: Iterable[int]) -> QuerySet[Decision]:
    """All but those that had nothing to say."""
    spoken = Decision.objects.filter(referral__in=pks).exclude(outcome=Decision.Outcome.PASS)
    return spoken.select_related("purchase").order_by("created_at", "pk")


def _rewards(pks: Iterable[int]) -> QuerySet[Reward]:
    return Reward.objects.filter(referral__in=pks, state=Reward.State.TO_CHECK, amount__gt=0).order_by("pk")


def _seals(pks: Iterable[int], decisions: Iterable[Decision], rewards: Iterable[Reward]) -> dict[int, str]:
    facts: dict[int, list[str]] = {pk: [] for pk in pks}
    for decision in decisions:
        facts[decision.referral_id].append(
            f"{decision.pk}:{decision.outcome}:{decision.created_at.timestamp()}"
        )
    for reward in rewards:
        facts[reward.referral_id].append(f"{reward.pk}:{reward.amount:.2f}:{reward.currency}")
    return {pk: sha256("|".join(lines).encode()).hexdigest()[:16] for pk, lines in facts.items()}


def seal_of(referral: Referral) -> str:
    """Changes with what was said about the referral, and with what is at stake."""
    pks = [referral.pk]
    return _seals(pks, _decisions(pks), _rewards(pks))[referral.pk]


def objection_words(decision: Decision) -> str:
    """Which check held the referral, and why; about which order, if it was about one."""
    words = {
        "check": capfirst(check_name(decision.check_key)),
        "reason": reason_words(decision.reason),
        "number": decision.purchase.reference if decision.purchase else "",
    }
    if decision.purchase is not None:
        return gettext("%(check)s: %(reason)s (order %(number)s)") % words
    return gettext("%(check)s: %(reason)s") % words


def stake_words(reward: Reward) -> str:
    """Needs ``reward.user`` and ``reward.terms``."""
    who = person(reward.user) or reward.get_side_display()
    what = reward_amount(reward) or reward_words(reward)
    return gettext("%(who)s: %(reward)s") % {"who": who, "reward": what}


def total_words(cases: Iterable[Case]) -> list[str]:
    """What is at stake in all: amounts by their currency, other things by their number."""
    amounts: dict[str, Decimal] = {}
    things = 0
    for case in cases:
        for reward in case.rewards:
            if is_money(reward.kind):
                amounts[reward.currency] = amounts.get(reward.currency, Decimal(0)) + reward.amount
            else:
                things += 1
    words = [credit.format_money(amounts[code], code) for code in sorted(amounts)]
    if things:
        words.append(
            ngettext("%(number)s reward without an amount", "%(number)s rewards without an amount", things)
            % {"number": things}
        )
    return words


def wait_words(since: datetime | None) -> str:
    if since is None:
        return ""
    days = (timezone.localdate() - timezone.localdate(since)).days
    if days <= 0:
        return gettext("since today")
    return ngettext("%(days)s day", "%(days)s days", days) % {"days": days}


# The listing


class ReviewFilterSet(WagtailFilterSet):
    when = django_filters.ChoiceFilter(
        label=pgettext_lazy("to check", "When"),
        choices=[(LATER, _("Asked later"))],
        empty_label=_("To check now"),
        widget=forms.RadioSelect,
        method="as_it_is",
    )
    check = django_filters.ChoiceFilter(
        label=pgettext_lazy("to check", "Check"),
        choices=lambda: [(check.key, capfirst(check_name(check.key))) for check in checks],
        method="held_by",
    )
    program = ProgramFilter("program_key")
    advocate = ReferrerFilter()
    created_at = SiteDatesFilter(label=_("Date"))

    class Meta:
        model = Referral
        fields: list[str] = []

    def as_it_is(self, queryset: QuerySet[Referral], name: str, value: str) -> QuerySet[Referral]:
        """The listing begins with these rows."""
        return queryset

    def held_by(self, queryset: QuerySet[Referral], name: str, value: str) -> QuerySet[Referral]:
        held = Decision.objects.filter(
            referral=OuterRef("pk"), check_key=value, outcome=Decision.Outcome.HOLD
        )
        return queryset.filter(Exists(held))


class WaitColumn(Column):
    """For how long; in a file, since when."""

    def __init__(self, name: str, *, accessor: Callable[[Any], datetime | None], **kwargs: Any) -> None:
        super().__init__(
            name, classname="referral-line-only", accessor=lambda row: wait_words(accessor(row)), **kwargs
        )
        self.since = accessor

    def export_value(self, instance: Referral) -> datetime | None:
        return self.since(instance)


class ReviewerMixin(PermissionCheckedMixin):
    """For who may see referrals and decide about them."""

    request: HttpRequest

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not request.user.has_perm(REVIEW) or not self.user_has_permission("view"):
            raise PermissionDenied
        response: HttpResponseBase = super().dispatch(request, *args, **kwargs)
        return response


class ReviewIndexView(ReviewerMixin, RecordIndexView):
    template_name = "wagtail_referrals/admin/review.html"
    results_template_name = "wagtail_referrals/admin/review_results.html"
    page_title = _("To check")
    related = ("advocate__user", "friend")
    shared = ("terms",)
    search_fields = ("pk",)
    spare = ("created_at",)

    @property
    def is_later(self) -> bool:
        return self.request.GET.get(WHEN) == LATER

    def get_base_queryset(self) -> QuerySet[Any]:
        rows: QuerySet[Any] = super().get_base_queryset()
        return rows.filter(to_review(timezone.now(), postponed=self.is_later))

    @cached_property
    def columns(self) -> list[Any]:
        return [
            RecordColumn(
                "friend",
                label=_("Friend"),
                accessor=friend_name,
                get_url=lambda row: reverse("wagtail_referrals_referrals:inspect", args=[quote(row.pk)]),
                get_title_id=lambda row: f"referral_{quote(row.pk)}_title",
            ),
            Column(
                "advocate",
                label=_("Referred by"),
                classname=MINOR,
                accessor=lambda row: advocate_name(row.advocate),
            ),
            Column(
                "program",
                label=_("Program"),
                classname=MINOR,
                accessor=lambda row: row.terms.data.get("name", ""),
            ),
            Column(
                "why",
                label=_("What held it"),
                accessor=lambda row: " · ".join(self.cases[row.pk].objections),
            ),
            Column("stakes", label=_("At stake"), accessor=lambda row: " · ".join(self.cases[row.pk].stakes)),
            WaitColumn("waits", label=_("Waits"), accessor=lambda row: self.cases[row.pk].since),
            *([MomentColumn("postponed_until", label=_("To be asked on"))] if self.is_later else []),
            MomentColumn("created_at", label=_("Date"), sort_key="created_at"),
        ]

    def decorate(self, rows: list[Referral]) -> None:
        self.cases = cases_of(rows)

    def get_table(self, object_list: Any) -> Any:
        boxes = BulkActionsCheckboxColumn("bulk_actions", obj_type="referral")
        return self.table_class([boxes, *self.shown], object_list, **self.get_table_kwargs())

    def find(self, text: str) -> Q:
        users = keys_of(users_like(text))
        return (
            Q(friend__in=users)
            | Q(advocate__in=keys_of(advocates_like(text, users)))
            | Q(pk__in=keys_of(Purchase.objects.filter(reference=text), "referral"))
        )

    @property
    def no_results_message(self) -> str:
        if self.is_searching or self.is_filtering or self.filter_problems:
            return str(super().no_results_message)
        return gettext("Nothing is to be checked. What a check holds appears here.")

    def get_context_data(self, *args: Any, **kwargs: Any) -> dict[str, Any]:
        context: dict[str, Any] = super().get_context_data(*args, **kwargs)
        context["row_actions"] = [
            {"url": reverse(f"{NAMESPACE}:{name}"), "label": words["button"]}
            for name, words in ACTIONS.items()
        ]
        context["is_later"] = self.is_later
        later = Referral.objects.filter(to_review(timezone.now(), postponed=True))
        context["later"] = 0 if self.is_later else later[:MOST].count()
        context["later_url"] = f"?{WHEN}={LATER}"
        return context


# The decision

APPROVE: Final = "approve"
REFUSE: Final = "refuse"
POSTPONE: Final = "postpone"

ACTIONS: Final[dict[str, dict[str, Any]]] = {
    APPROVE: {"button": _("Approve"), "title": _("Approve referrals")},
    REFUSE: {"button": _("Refuse"), "title": _("Refuse referrals")},
    POSTPONE: {"button": _("Ask later"), "title": _("Ask later about referrals")},
}


class DecisionForm(forms.Form):
    """``seen`` names the referrals, with a seal each of what the reviewer saw of them."""

    seen = forms.CharField(widget=forms.HiddenInput, required=False)
    note = forms.CharField(
        label=_("Reason"),
        max_length=500,
        required=False,
        help_text=_("Stays in the timeline, where colleagues read it."),
    )

    def __init__(self, *args: Any, action: str, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.action = action
        if action == POSTPONE:
            self.fields = {
                "seen": self.fields["seen"],
                "until": until_field(),
                "note": self.fields["note"],
            }
        if action == REFUSE:
            self.fields["note"].required = True
            self.fields["note"].error_messages["required"] = gettext("Say why: it is kept in the timeline.")

    def clean_until(self) -> date:
        return check_until(self.cleaned_data["until"])


def until_field() -> forms.DateField:
    return forms.DateField(
        label=_("Ask again on"),
        widget=AdminDateInput,
        help_text=_("Until then it is not in the list. A check that objects anew brings it back at once."),
    )


def day_has_begun() -> forms.ValidationError:
    return forms.ValidationError(gettext("Choose a day after today."))


def check_until(day: date) -> date:
    today = timezone.localdate(timezone=timezone.get_default_timezone())
    if day <= today:
        raise day_has_begun()
    if day > today + LONGEST_WAIT:
        raise forms.ValidationError(gettext("Choose a day within a year."))
    return day


def seal(cases: dict[int, Case]) -> str:
    return signing.dumps([[pk, case.seal] for pk, case in cases.items()], salt=_SALT, compress=True)


def unseal(text: str) -> dict[int, str]:
    """Raises ``signing.BadSignature`` for what no page of ours said, or one that is too old."""
    return dict(signing.loads(text, salt=_SALT, max_age=PAGE_AGE))


# Each referral is decided in a transaction of its own, also where the shop has one for every request.
@method_decorator(transaction.non_atomic_requests, name="dispatch")
class DecideView(ReviewerMixin, SelectionMixin, WagtailAdminTemplateMixin, FormView):
    """Shows what is about to be decided, and decides exactly that."""

    model = Referral
    form_class = DecisionForm
    template_name = "wagtail_referrals/admin/review_decide.html"
    header_icon = "view"
    index_url_name = f"{NAMESPACE}:index"
    action = APPROVE

    def get_page_title(self) -> str:
        return str(ACTIONS[self.action]["title"])

    def get_breadcrumbs_items(self) -> list[dict[str, Any]]:
        return [
            *self.breadcrumbs_items,
            {"url": reverse(f"{NAMESPACE}:index"), "label": _("To check")},
            {"url": "", "label": self.get_page_title()},
        ]

    def get_form_kwargs(self) -> dict[str, Any]:
        return {**super().get_form_kwargs(), "action": self.action}

    def get_initial(self) -> dict[str, Any]:
        return {"until": timezone.localdate() + timedelta(days=7)}

    # What is asked about

    @cached_property
    def asked_about(self) -> QuerySet[Referral]:
        if self.wants_all:
            found: QuerySet[Any] = self.matching.get_queryset()
            return found
        rows = Referral.objects.filter(to_review(timezone.now(), postponed=None), pk__in=self.ticked)
        return rows.select_related("advocate__user", "friend").order_by("created_at", "-pk")

    def seen_before(self) -> list[Referral]:
        """Those of the page that was sent back with a mistake."""
        try:
            ids = unseal(self.request.POST.get("seen", ""))
        except signing.BadSignature:
            return []
        return list(Referral.objects.filter(pk__in=ids).select_related("advocate__user", "friend"))

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if self.problems:
            messages.error(
                request, gettext("Nothing was decided: %(problems)s") % {"problems": " ".join(self.problems)}
            )
            return redirect(reverse(f"{NAMESPACE}:index"))
        if not self.asked_about.exists():
            messages.warning(request, gettext("None of these is to be checked any more."))
            return redirect(self.next_url)
        return super().get(request, *args, **kwargs)

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        is_again = self.request.method == "POST"
        rows = self.seen_before() if is_again else list(self.asked_about[:MOST])
        cases = cases_of(rows)
        left = 0 if is_again or not self.wants_all else self.asked_about.count() - len(rows)
        return {
            **context,
            "rows": [
                {
                    "friend": friend_name(row),
                    "advocate": advocate_name(row.advocate),
                    "url": reverse("wagtail_referrals_referrals:inspect", args=[quote(row.pk)]),
                    "case": cases[row.pk],
                    "waits": wait_words(cases[row.pk].since),
                }
                for row in rows
            ],
            "count": len(rows),
            "left": max(left, 0),
            "total": total_words(cases.values()),
            "action": self.action,
            # What was seen first stays what is decided.
            "seen": self.request.POST.get("seen", "") if is_again else seal(cases),
            "next": self.next_url,
            "action_url": self.request.get_full_path(),
            "button": ACTIONS[self.action]["button"],
            "media": context["form"].media
            + Media(css={"all": [versioned_static("wagtail_referrals/admin/admin.css")]}),
        }

    def form_valid(self, form: DecisionForm) -> HttpResponse:
        try:
            seen = unseal(form.cleaned_data["seen"])
        except signing.BadSignature:
            messages.error(self.request, gettext("That page was too old. Nothing was decided: select again."))
            return redirect(self.next_url)
        try:
            decide(self.request, self.action, seen, form.cleaned_data)
        except forms.ValidationError as error:
            form.add_error("until", error)
            return self.form_invalid(form)
        return redirect(self.next_url)


def decide(
    request: HttpRequest,
    action: str,
    seen: dict[int, str],
    data: dict[str, Any],
) -> Reviewed:
    """Decide about what is still as it was seen, settle, and say what happened.

    Raises ``ValidationError`` for a day to ask again that has begun since the form was read: nothing was decided then.
    """

    def still(referral: Referral) -> bool:
        return seal_of(referral) == seen[referral.pk]

    note = data["note"].strip()
    if action == POSTPONE:
        try:
            result = postpone_all(seen, data["until"], actor=request.user, note=note, still=still)
        except ValueError as error:
            raise day_has_begun() from error
    else:
        result = review_all(seen, action, actor=request.user, note=note, still=still)
    forget_count(REVIEW_COUNT)
    waiting = settle_some(result.decided) if action != POSTPONE else 0
    _tell(request, action, result, waiting)
    return result


def settle_some(pks: Sequence[int]) -> int:
    """Settle as many as somebody waits for; how many are left to the sweep, for which all of them are due."""
    end = time.monotonic() + PATIENCE
    left = 0
    for pk in pks:
        if time.monotonic() > end:
            left += 1
            continue
        try:
            settle(pk)
        except Exception:
            logger.exception("Settling referral %s failed; the sweep will try again.", pk)
            left += 1
    return left


def _tell(request: HttpRequest, action: str, result: Reviewed, waiting: int) -> None:
    done = len(result.decided)
    if done:
        sentence = {
            APPROVE: ngettext("%(count)s referral was approved.", "%(count)s referrals were approved.", done),
            REFUSE: ngettext("%(count)s referral was refused.", "%(count)s referrals were refused.", done),
            POSTPONE: ngettext(
                "%(count)s referral will be asked about later.",
                "%(count)s referrals will be asked about later.",
                done,
            ),
        }[action]
        messages.success(request, sentence % {"count": done})
    for count, sentence in (
        (
            waiting,
            ngettext(
                "What follows from it for %(count)s of them is done at the next run of the sweep.",
                "What follows from it for %(count)s of them is done at the next run of the sweep.",
                waiting,
            ),
        ),
        (
            len(result.by_others),
            ngettext(
                "%(count)s had been decided by somebody else, and was left as it is.",
                "%(count)s had been decided by somebody else, and were left as they are.",
                len(result.by_others),
            ),
        ),
        (
            len(result.changed),
            ngettext(
                "%(count)s has changed since you saw it, and was not decided: look again.",
                "%(count)s have changed since you saw them, and were not decided: look again.",
                len(result.changed),
            ),
        ),
        (
            len(result.over),
            ngettext(
                "%(count)s has nothing to be checked any more.",
                "%(count)s have nothing to be checked any more.",
                len(result.over),
            ),
        ),
    ):
        if count:
            messages.warning(request, sentence % {"count": count})


class ReviewViewSet(CountedViewSet, RecordViewSet):
    model = Referral
    name = NAMESPACE
    url_prefix = "referrals/review"
    icon = "view"
    menu_label = _("To check")
    menu_name = "referral-review"
    index_view_class = ReviewIndexView
    inspect_view_enabled = False
    filterset_class = ReviewFilterSet
    search_fields = ("pk",)
    # Who waits longest comes first.
    ordering = ("created_at",)
    index_template_name = ReviewIndexView.template_name
    index_results_template_name = ReviewIndexView.results_template_name
    count_key = REVIEW_COUNT
    count_permissions = (REVIEW, "wagtail_referrals.view_referral")

    def waiting(self) -> QuerySet[Any]:
        return Referral.objects.filter(to_review(timezone.now()))

    def register_admin_url_finder(self) -> None:
        """A referral's page is that of the other listing."""

    def get_urlpatterns(self) -> list[URLPattern]:
        return [
            path("", self.index_view, name="index"),
            path("results/", self.index_results_view, name="index_results"),
            *(
                path(
                    f"{action}/",
                    self.construct_view(DecideView, action=action, listing=self.index_view),
                    name=action,
                )
                for action in ACTIONS
            ),
        ]
