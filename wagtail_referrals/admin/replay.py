""" "What it would have cost": a program as it is being written, judged over referrals that are there."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any, Final

from django.contrib.admin.utils import quote, unquote
from django.core.exceptions import PermissionDenied, ValidationError
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseNotAllowed
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.decorators import method_decorator
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from django.views import View
from django.views.decorators.cache import never_cache
from wagtail.admin.views.generic.permissions import PermissionCheckedMixin

from wagtail_referrals import credit
from wagtail_referrals.admin.program_form import read_form
from wagtail_referrals.kinds import Side, reward_kinds
from wagtail_referrals.programs import (
    TermsData,
    draft_data,
    program_names,
    rule_gets,
    sentence,
)
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals import get_shop, reason_words
from wagtail_referrals.rewards import (
    Judged,
    Outcome,
    Replay,
    replay,
    replay_first_orders,
    replayable_programs,
)
from wagtail_referrals.rewards.replay import (
    NONE,
    OTHER_PLACE,
    RULE_CHANGED,
    RULE_GONE,
    RULE_NEW,
    UNKNOWN_CUSTOMERS,
    UNKNOWN_DISCOUNT,
    UNKNOWN_KIND,
    UNKNOWN_LINES,
    UNKNOWN_PRICE,
    UNKNOWN_REFUNDS,
    WAITING,
    Sum,
)

# Of the referrals that came out differently, as many as somebody reads.
SHOWN: Final = 50
# Names of our own fields beside those of the program's form.
FRIENDS_OF: Final = "replay-friends-of"
# How many referrals are looked at, about: the more, the longer it takes. The first is what the page begins with.
NUMBER: Final = "replay-number"
NUMBERS: Final = (500, 1000, 2000)
# The shop's own orders instead of a program's friends.
ORDERS: Final = "orders"

WHY: Final[dict[str, Any]] = {
    RULE_GONE: _("the program as written has no such reward"),
    RULE_NEW: _("this reward is new"),
    RULE_CHANGED: _("the reward is another one, or comes to another amount"),
    OTHER_PLACE: _("limits and milestones fall to other friends, in the order in which their orders counted"),
}

NOT_KNOWN: Final[dict[str, Any]] = {
    UNKNOWN_LINES: _(
        "A reward is for certain products. Of each order the shop noted what its programs asked about at the time: an "
        "order whose products nobody asked about counts as one without them."
    ),
    UNKNOWN_DISCOUNT: _(
        "The friend's discount is another one. It is taken off the order in which the friend used a discount, and off "
        "the first order where there was none to use. Whether more friends, or fewer, would have ordered because of it "
        "cannot be known."
    ),
    UNKNOWN_PRICE: _(
        "Things, free delivery and discounts that nobody has used are counted. What they cost is not known, and is not "
        "in the amounts."
    ),
    UNKNOWN_CUSTOMERS: _(
        "The program is for new customers only, and was for all. Who had ordered before is known of friends who "
        "ordered; those who only registered count as new."
    ),
    UNKNOWN_REFUNDS: _(
        "Orders that were given back count as they are today, whenever that was: on which day is not noted."
    ),
    UNKNOWN_KIND: _("This site does not know one of the rewards, or its moment. It is left out."),
}


def amount_of(outcome: Outcome) -> str:
    """What a reward gives, as it stands in a sentence."""
    if outcome.amount is not None and outcome.unit:
        return credit.format_money(outcome.amount, outcome.unit)
    if outcome.rule is not None:
        return capfirst(rule_gets(outcome.rule, outcome.unit or None))
    return kind_label(outcome.kind)


def kind_label(key: str) -> str:
    return str(reward_kinds.get(key).label) if key in reward_kinds else gettext("unknown reward")


def side_label(side: str) -> str:
    return capfirst(str(Side(side).label))


def gifts(outcomes: Iterable[Outcome]) -> list[str]:
    """The rewards of a referral, a line each; what came to nothing is left out."""
    found = []
    for outcome in outcomes:
        if outcome.state == NONE:
            continue
        words = {"side": side_label(outcome.side), "gift": amount_of(outcome)}
        if outcome.state == WAITING:
            found.append(gettext("%(side)s: %(gift)s (not given yet)") % words)
        else:
            found.append(gettext("%(side)s: %(gift)s") % words)
    return found


def why_words(judged: Judged) -> list[str]:
    found: dict[str, None] = {}
    for side, code in judged.why:
        reason = str(WHY[code]) if code in WHY else reason_words(code)
        if side:
            reason = gettext("%(side)s: %(reason)s") % {"side": side_label(side), "reason": reason}
        found[capfirst(reason)] = None
    return list(found)


def money(amount: Decimal, unit: str) -> str:
    return str(credit.format_money(amount, unit))


def difference(before: Decimal, after: Decimal, unit: str) -> str:
    """With its sign, as what changes is read: "+ €5.00"."""
    change = after - before
    if not change:
        return "±0"
    return f"{'+' if change > 0 else '−'} {money(abs(change), unit)}"


def _cell(total: Sum, unit: str) -> dict[str, Any]:
    waiting = ""
    if total.waiting:
        words = {"number": total.waiting, "amount": money(total.waiting_amount, unit) if unit else ""}
        if unit:
            waiting = (
                ngettext(
                    "%(number)s more is not given yet (%(amount)s)",
                    "%(number)s more are not given yet (%(amount)s)",
                    total.waiting,
                )
                % words
            )
        else:
            waiting = (
                ngettext(
                    "%(number)s more is not given yet", "%(number)s more are not given yet", total.waiting
                )
                % words
            )
    return {
        "number": total.number,
        "amount": money(total.amount, unit) if unit else "",
        "waiting": waiting,
    }


def rows_of(found: Replay) -> list[dict[str, Any]]:
    """Number and cost by side, kind of reward and currency."""
    rows = []
    for (side, kind, unit), (before, after) in found.lines.items():
        change = after.number - before.number
        rows.append(
            {
                "side": side_label(side),
                "kind": kind_label(kind),
                "cells": (_cell(before, unit), _cell(after, unit)),
                "number_difference": f"{change:+d}".replace("-", "−") if change else "±0",
                "amount_difference": difference(before.amount, after.amount, unit) if unit else "",
                "order": (side, kind, not unit, unit),
            }
        )
    return sorted(rows, key=lambda row: row["order"])


def costs_of(found: Replay) -> list[dict[str, str]]:
    """All that was given, by currency; and for each friend whose order counts."""
    friends_before, friends_after = found.friends
    costs = []
    for unit, (before, after) in sorted(found.costs.items()):
        costs.append(
            {
                "before": money(before, unit),
                "after": money(after, unit),
                "difference": difference(before, after, unit),
                "each_before": _each(before, friends_before, unit),
                "each_after": _each(after, friends_after, unit),
            }
        )
    return costs


def _each(amount: Decimal, friends: int, unit: str) -> str:
    return money(credit.quantize(amount / friends, unit), unit) if friends else "–"


@method_decorator(never_cache, name="dispatch")
class ReplayView(PermissionCheckedMixin, View):
    """GET: the program as it was last saved. POST: the form as it is being typed; nothing is saved."""

    model = Program
    any_permission_required = ("add", "change")
    form_class: Any = None

    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if "pk" not in kwargs and not self.user_has_permission("add"):
            raise PermissionDenied
        return super().dispatch(request, *args, **kwargs)

    def get(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        if pk is None:
            # There is nothing to judge without a form.
            return HttpResponseNotAllowed(["POST"])
        return self.answer(request, draft_data(self.saved(pk)), pk)

    def post(self, request: HttpRequest, pk: int | None = None) -> HttpResponse:
        instance = Program() if pk is None else self.saved(pk)
        key = instance.key
        try:
            program, _rules = read_form(
                self.form_class(request.POST, instance=instance, for_user=request.user)
            )
        except (KeyError, ValueError, ValidationError):
            # Rows that are not this program's: the form was tampered with, or changed in another window.
            return HttpResponseBadRequest()
        program.key = key
        return self.answer(request, draft_data(program), pk, request.POST)

    def saved(self, pk: int) -> Program:
        program = get_object_or_404(Program, pk=unquote(str(pk))).get_latest_revision_as_object()
        if not self.user_has_permission_for_instance("change", program):
            raise PermissionDenied
        return program

    def answer(
        self, request: HttpRequest, data: TermsData, pk: int | None, typed: Any = None
    ) -> HttpResponse:
        names = program_names()
        programs: list[dict[str, Any]] = [
            {"key": key, "name": names.get(key, ""), "number": number}
            for key, number in replayable_programs()
        ]
        keys = [str(program["key"]) for program in programs]
        asks_orders = hasattr(get_shop(), "first_orders")
        said = request.GET if typed is None else typed
        asked = str(said.get(FRIENDS_OF, ""))
        if asked and asked not in keys and not (asked == ORDERS and asks_orders):
            return HttpResponseBadRequest(gettext("There is no such program."))
        chosen = asked or (data.program_key if data.program_key in keys else next(iter(keys), ""))
        wanted = str(said.get(NUMBER, "")) or str(NUMBERS[0])
        if wanted not in map(str, NUMBERS):
            return HttpResponseBadRequest(gettext("Choose one of the numbers."))
        most = int(wanted)
        found = replay(data, program=chosen, most=most) if chosen in keys else None
        context = {
            "header_title": gettext("What it would have cost"),
            "header_icon": "history",
            "breadcrumbs_items": self.breadcrumbs(pk, data),
            "sentence": sentence(data),
            "has_rules": bool(data.rules),
            "programs": programs,
            "asks_orders": asks_orders,
            "orders": ORDERS,
            "chosen": chosen,
            "is_own": chosen == data.program_key,
            "friends_of": FRIENDS_OF,
            "number_name": NUMBER,
            # For a shop that has no more there is nothing to choose.
            "numbers": NUMBERS if max((each["number"] for each in programs), default=0) > NUMBERS[0] else (),
            "most": most,
            "typed": self.echo(typed),
            "action": request.path,
            "method": "get" if typed is None else "post",
            "today": timezone.localtime(),
        }
        sample = replay_first_orders(data) if chosen == ORDERS else None
        if sample is not None:
            context |= {
                "sample": sample,
                "sample_friends": sample.friends[1],
                "sample_rows": rows_of(sample),
                "sample_costs": costs_of(sample),
            }
        if found is not None:
            context |= self.figures(found, data)
        return TemplateResponse(request, "wagtail_referrals/admin/replay.html", context)

    def figures(self, found: Replay, data: TermsData) -> dict[str, Any]:
        different = found.different
        before, after = found.friends
        notes = [str(NOT_KNOWN[code]) for code in NOT_KNOWN if code in found.unknown]
        if data.audience:
            notes.append(
                gettext("All referrers are looked at, also those who are not in the audience “%(name)s”.")
                % {"name": data.audience}
            )
        may_see = self.request.user.has_perm("wagtail_referrals.view_referral")
        return {
            "found": found,
            "rows": rows_of(found),
            "costs": costs_of(found),
            "friends_before": before,
            "friends_after": after,
            "notes": notes,
            "first": min((judged.case.created_at for judged in found.judged), default=None),
            "last": max((judged.case.created_at for judged in found.judged), default=None),
            "different_number": len(different),
            "different": [
                {
                    "number": judged.case.id,
                    "date": judged.case.created_at,
                    "url": reverse("wagtail_referrals_referrals:inspect", args=[quote(judged.case.id)]),
                    "before": gifts(judged.case.today),
                    "after": gifts(judged.outcomes),
                    "why": why_words(judged),
                }
                for judged in different[:SHOWN]
            ]
            if may_see
            else [],
            "may_see": may_see,
            "shown": SHOWN,
        }

    def breadcrumbs(self, pk: int | None, data: TermsData) -> list[dict[str, Any]]:
        items = [{"url": reverse("wagtail_referrals_programs:list"), "label": gettext("Programs")}]
        if pk is not None:
            url = reverse("wagtail_referrals_programs:edit", args=[quote(pk)])
            items.append({"url": url, "label": data.name or gettext("(without a name)")})
        return [*items, {"url": "", "label": gettext("What it would have cost")}]

    @staticmethod
    def echo(typed: Any) -> list[tuple[str, str]]:
        """The form's fields, to ask again with other friends."""
        if typed is None:
            return []
        leave = {"csrfmiddlewaretoken", FRIENDS_OF, NUMBER}
        return [(name, value) for name, values in typed.lists() if name not in leave for value in values]
