"""What the page "Refer a friend" shows: the link, the name that friends see, friends, rewards, credit."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django import forms
from django.core.paginator import Page, Paginator
from django.db.models import F, Max, Prefetch, Sum
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.text import capfirst
from django.utils.translation import get_language, gettext, pgettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit, people, programs, rewards, tracking
from wagtail_referrals.credit.models import Account, Entry
from wagtail_referrals.kinds import LedgerKind, Side, reward_kinds
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import TermsData
from wagtail_referrals.recognition import badges_of
from wagtail_referrals.referrals import get_shop, reason_for_advocate
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site import elsewhere
from wagtail_referrals.site import offer as words
from wagtail_referrals.site.milestones import milestones_of
from wagtail_referrals.site.sharing import sharing_of
from wagtail_referrals.tracking.models import Visit

PAGE_SIZE: Final = 20
EXPIRES_SOON: Final = timedelta(days=60)


class NameForm(forms.ModelForm):
    """The name that friends see. Saving it also says that the advocate has seen it."""

    class Meta:
        model = Advocate
        fields = ("public_name",)
        labels = {"public_name": _("Your friends will see")}
        help_texts = {
            "public_name": _("Your first name is enough. Without a name they read “A friend invites you”.")
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["public_name"].widget.attrs["autocomplete"] = "given-name"

    def clean_public_name(self) -> str:
        name = " ".join(self.cleaned_data["public_name"].split())
        # Strangers read it in link previews: no address, no link, nothing that cannot be seen.
        if "@" in name or "/" in name or "www." in name.lower() or not name.isprintable():
            raise forms.ValidationError(_("Please give a name, without an address or a link."))
        return name

    def save(self, commit: bool = True) -> Advocate:
        advocate: Advocate = self.instance
        advocate.name_confirmed_at = advocate.name_confirmed_at or timezone.now()
        advocate.save(update_fields=["public_name", "name_confirmed_at"])
        people.forget_code(advocate)
        return advocate


@dataclass(frozen=True)
class Friend:
    """One friend as the advocate may see them: no full name, no address, no order."""

    name: str
    since: Any
    state: str
    state_words: str
    why: str
    rewards: list[str]


def _reward_words(reward: Reward, data: TermsData) -> str:
    rule = data.rule(str(reward.rule_key))
    kind = reward_kinds.get(reward.kind) if reward.kind in reward_kinds else None
    if isinstance(kind, LedgerKind):
        what = _money(reward.amount, reward.currency)
    else:
        # An amount alone would read as credit: a donation says whom it is for.
        what = programs.rule_gets(rule, reward.currency) if rule is not None else ""
    state = str(reward.get_state_display())
    if not what:
        return state
    # Translators: a reward and its state, like "15.00: given". The state agrees with the word "reward".
    return pgettext("reward", "%(what)s: %(state)s") % {"what": what, "state": state}


def why_words(referral: Referral) -> str:
    """The line that explains the state: "until 14 March", "the order was cancelled"."""
    if referral.state == Referral.State.WAITING_PERIOD and referral.hold_until:
        day = date_format(timezone.localtime(referral.hold_until), "DATE_FORMAT")
        return gettext("until %(day)s") % {"day": day}
    if referral.state == Referral.State.TO_CHECK:
        # What the check saw is for staff: it may concern the friend.
        return reason_for_advocate("review")
    if referral.state == Referral.State.REWARDED or not referral.reason:
        return ""
    return reason_for_advocate(referral.reason)


def friends_of(advocate: Advocate, number: Any) -> Page:
    """One page of the advocate's friends, the newest first. A constant number of queries."""
    # An order that was cancelled before delivery never happened: nothing was promised for it, so nothing is refused.
    told = Reward.objects.filter(side=Side.ADVOCATE).exclude(
        state=Reward.State.REFUSED, reason="cancelled", given_at=None
    )
    rewards = Prefetch("rewards", told.order_by("pk"), to_attr="advocate_rewards")
    rows = (
        Referral.objects.filter(advocate=advocate)
        .select_related("friend", "terms")
        .prefetch_related(rewards)
        .order_by("-created_at", "-pk")
    )
    page = Paginator(rows, PAGE_SIZE).get_page(number)
    parsed: dict[int, TermsData] = {}
    friends = []
    for referral in page.object_list:
        if referral.terms_id not in parsed:
            parsed[referral.terms_id] = programs.parse(referral.terms)
        data = parsed[referral.terms_id]
        first_name = getattr(referral.friend, "first_name", "") if referral.friend else ""
        friends.append(
            Friend(
                name=people.mask(first_name) if first_name else gettext("A friend"),
                since=referral.created_at,
                state=referral.state,
                state_words=str(referral.get_state_display()),
                why=why_words(referral),
                rewards=[_reward_words(reward, data) for reward in getattr(referral, "advocate_rewards", [])],
            )
        )
    page.object_list = friends  # type: ignore[assignment]
    return page


@dataclass(frozen=True)
class Discount:
    """A reward that is a discount and waits to be used: what it is, its code, until when, and where to use it.

    Without a code it cannot be used yet: the shop gives no discounts at present. Texts are in the current language; ""
    where there is nothing to say.
    """

    words: str
    minimum: str
    code: str
    until: str
    url: str


def discounts_of(user: Any) -> list[Discount]:
    """The customer's rewards that are discounts and have not been used. One query."""
    found = []
    parsed: dict[int, TermsData] = {}
    for grant in rewards.usable_rewards(user):
        data = parsed.setdefault(grant.terms_id, programs.parse(grant.terms))
        rule = data.rule(str(grant.rule_key))
        if rule is None:
            continue
        found.append(
            Discount(
                words=capfirst(programs.rule_gets(rule)),
                minimum=programs.minimum_words(rule) if rewards.minimum_to_use(rule) else "",
                code=grant.code,
                until=date_format(timezone.localtime(grant.expires_at), "DATE_FORMAT")
                if grant.expires_at and grant.code
                else "",
                url=reverse("referrals:use_discount", args=[grant.token]),
            )
        )
    return found


@dataclass(frozen=True)
class Movement:
    """One line of the history. ``amount`` is written with its sign."""

    when: Any
    words: str
    amount: str
    is_gain: bool


@dataclass(frozen=True)
class Balance:
    """One account. Amounts are written in its currency; "" where there is nothing to say.

    ``unit`` is the name of the shop's points, "" for money.
    """

    unit: str
    available: str
    reserved: str
    shortfall: str
    expiring: list[str]
    # What it pays by itself.
    uses: list[str]
    movements: Page
    parameter: str


def _movement(row: dict[str, Any], currency: str) -> Movement:
    what = capfirst(str(Entry.Kind(row["kind"]).label))
    if row["order"]:
        what = gettext("%(movement)s, order %(number)s") % {"movement": what, "number": row["order"]}
    # What could not be taken back at once shows as the debt that it became.
    amount = row["total"] or -row["owed"]
    text = credit.format_money(abs(amount), currency)
    return Movement(row["when"], what, f"+{text}" if amount > 0 else f"−{text}", amount > 0)


def _movements(account: Account) -> Any:
    """One row for each operation on the account that changed what the customer has, the newest first."""
    return (
        Entry.objects.filter(account=account)
        .values("key", "kind", order=F("reservation__order_number"))
        .annotate(total=Sum("amount"), owed=Sum("shortfall_delta"), when=Max("created_at"), newest=Max("pk"))
        .exclude(total=0, owed=0)
        .order_by("-when", "-newest")
    )


def _money(amount: Decimal, currency: str) -> str:
    return credit.format_money(amount, currency) if amount else ""


def balance_of(account: Account, user: Any, number: Any) -> Balance:
    """The customer's account, and one page of its movements."""
    movements = Paginator(_movements(account), PAGE_SIZE).get_page(number)
    lines = [_movement(row, account.currency) for row in movements.object_list]
    movements.object_list = lines
    # By day, as the mails say it.
    endings = credit.endings_of(account, until=timezone.localdate() + EXPIRES_SOON)
    expiring = [
        gettext("%(amount)s can be used until %(day)s.")
        % {
            "amount": credit.format_money(ending.amount, account.currency),
            "day": date_format(ending.day, "DATE_FORMAT"),
        }
        for ending in endings[:5]
    ]
    return Balance(
        unit="" if credit.is_money(account.currency) else capfirst(credit.unit_name(account.currency)),
        available=credit.format_money(account.available, account.currency),
        reserved=_money(account.reserved, account.currency),
        shortfall=_money(account.shortfall, account.currency),
        expiring=expiring,
        uses=elsewhere.credit_uses_of(user, account.currency) if account.available else [],
        movements=movements,
        parameter=f"movements-{account.currency}",
    )


def account_context(request: HttpRequest, advocate: Advocate, form: NameForm) -> dict[str, Any]:
    """Everything on the page, for the customer who asks."""
    offer = programs.pick_terms(
        site_id=tracking.site_id_for(request), advocate_state=advocate.state, user_id=advocate.user_id
    )
    data = offer.data if offer else None
    balances = [
        balance_of(account, request.user, request.GET.get(f"movements-{account.currency}"))
        for account in credit.accounts_of(request.user)
    ]
    return {
        "advocate": advocate,
        "name_form": form,
        "confirmed": advocate.name_confirmed_at is not None,
        "invites": gettext("%(name)s invites you") % {"name": people.invitation_name(advocate.public_name)},
        "gift": programs.friend_gets(data) if data else "",
        "offer_open": data is not None,
        "advocate_lines": words.advocate_lines(data, milestones=False) if data else [],
        "advocate_conditions": words.advocate_conditions(data) if data else [],
        "milestones": milestones_of(advocate, data) if data else None,
        "badges": badges_of(request.user),
        "small_print": data.text(get_language() or "")["small_print"] if data else "",
        "sharing": sharing_of(request, advocate, data),
        "visits": Visit.objects.filter(advocate=advocate).count(),
        "friends": friends_of(advocate, request.GET.get("page")),
        "discounts": discounts_of(request.user),
        "gifts": elsewhere.gifts_of(request.user),
        "balances": [balance for balance in balances if not balance.unit],
        "credit_pays": get_shop().takes_credit(),
        "points": [balance for balance in balances if balance.unit],
    }
