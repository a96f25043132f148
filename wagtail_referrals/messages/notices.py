"""Who is told what about rewards."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from django.template.defaultfilters import capfirst
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import conf, credit
from wagtail_referrals.kinds import LedgerKind, Rule, Side, reward_kinds
from wagtail_referrals.messages.kinds import (
    MessageKind,
    Reader,
    Standard,
    Topic,
    Urgency,
    message_kinds,
)
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.planning import write
from wagtail_referrals.programs import kept_gift, parse
from wagtail_referrals.referrals import get_shop, reason_for_advocate, reason_words
from wagtail_referrals.referrals.timeline import money_words
from wagtail_referrals.rewards.models import Reward

GIVEN: Final = "reward_given"
TAKEN_BACK: Final = "reward_taken_back"


def tell_about_reward(
    sender: type[Reward],
    *,
    reward: Reward,
    delta: Decimal,
    now: datetime,
    careful: bool = True,
    written: dict[str, Any] | None = None,
    **kwargs: Any,
) -> None:
    """Given, or taken back: the customer hears of both."""
    if reward.user is None:
        return
    data: dict[str, Any] = {"reward": reward.pk, "side": reward.side, "reason": reward.reason}
    if reward.tier is not None:
        data["milestone"] = reward.tier
    rule = parse(reward.terms).rule(str(reward.rule_key))
    kind = reward_kinds.get(reward.kind)
    if isinstance(kind, LedgerKind):
        # What is on the account now is what counts, whatever the rule's words are.
        data |= {"amount": str(abs(delta)), "currency": reward.currency}
    elif rule is not None:
        data["gift"] = kept_gift(_worth(rule, reward, delta), reward.currency)
    if delta > 0:
        data |= _use(reward, rule, now)
    write(
        GIVEN if delta > 0 else TAKEN_BACK,
        key=f"reward:{reward.pk}:{reward.revision}",
        user=reward.user,
        data=data,
        referral=reward.referral,
        language=_language(reward),
        now=now,
        written=None if careful else written,
    )


def _worth(rule: Rule, reward: Reward, delta: Decimal) -> Rule:
    """The rule with the amount that this is about: after a refund that is less than what the rule gives."""
    kind = reward_kinds.get(reward.kind)
    if kind.is_discount or "amounts" not in kind.value_fields or reward.currency not in rule.amounts:
        return rule
    return replace(rule, amounts={**rule.amounts, reward.currency: abs(delta)})


def _use(reward: Reward, rule: Rule | None, now: datetime) -> dict[str, str]:
    """The code under which it is used, and the last day on which it can be."""
    kind = reward_kinds.get(reward.kind)
    found = {}
    until = None
    if kind.is_discount:
        # Without a code it cannot be used yet, and its time has not begun.
        found["code"] = reward.discount.code
        until = reward.discount.expires_at if reward.discount.code else None
    elif isinstance(kind, LedgerKind) and rule is not None and rule.expires_days:
        until = now + timedelta(days=rule.expires_days)
    if until is not None:
        found["until"] = credit.last_day(until).isoformat()
    return found


def _language(reward: Reward) -> str:
    return reward.advocate.language if reward.side == Side.ADVOCATE else reward.referral.claim.language


# As they are sent


def reward_context(message: Message) -> dict[str, Any]:
    """What the words about a reward are made of, in the reader's language."""
    data = message.data
    currency = data.get("currency", "")
    for_advocate = data.get("side") == Side.ADVOCATE
    given = message.kind == GIVEN
    values = {
        "amount": money_words(data),
        "reason": (reason_for_advocate if for_advocate else reason_words)(data.get("reason", "")),
    }
    return {
        **values,
        "headline": capfirst(_headline(data, given) % values),
        "news": _news(for_advocate, given, data.get("milestone"))
        % {**values, "number": data.get("milestone")},
        "discount_code": data.get("code", ""),
        # What is counted in points, and things, pay for no order.
        "pays": bool(currency) and credit.is_money(currency) and get_shop().takes_credit(),
        "waits": given and _is_discount(data) and not data.get("code"),
        "day": date_format(date.fromisoformat(data["until"]), "DATE_FORMAT") if data.get("until") else "",
        "button": gettext("See your friends and rewards"),
    }


def _headline(data: dict[str, Any], given: bool) -> str:
    if not given:
        return gettext("%(amount)s taken back")
    if data.get("currency") or _is_discount(data):
        return gettext("%(amount)s for you")
    return gettext("Your reward: %(amount)s")


def _news(for_advocate: bool, given: bool, milestone: int | None) -> str:
    if not given:
        return gettext("we have taken back a reward, %(amount)s: %(reason)s.")
    if milestone:
        return ngettext(
            "you have passed a milestone: %(number)s friend has ordered thanks to you. Your reward is there: "
            "%(amount)s.",
            "you have passed a milestone: %(number)s friends have ordered thanks to you. Your reward is there: "
            "%(amount)s.",
            milestone,
        )
    if for_advocate:
        return gettext("thank you for referring a friend. Your reward is there: %(amount)s.")
    return gettext("you came on the invitation of a friend. Your reward is there: %(amount)s.")


def _is_discount(data: dict[str, Any]) -> bool:
    kind = data["gift"]["rule"]["kind"] if data.get("gift") else ""
    return kind in reward_kinds and reward_kinds.get(kind).is_discount


def sample_amount() -> dict[str, Any]:
    """Of a message that is about credit."""
    return {"amount": "15.00", "currency": conf.currencies()[0]}


def _sample_given() -> dict[str, Any]:
    return {"side": Side.ADVOCATE.value, **sample_amount()}


def _sample_taken_back() -> dict[str, Any]:
    return {"side": Side.ADVOCATE.value, "reason": "refunded", **sample_amount()}


HEADLINE: Final = _("The standard words for subject and heading")
NEWS: Final = _("What has happened, as a sentence of the standard words")
BUTTON: Final = _("The standard words of the button")
AMOUNT: Final = _("How much, or what it is")

REWARD_KINDS: Final = (
    MessageKind(
        GIVEN,
        _("your reward is there"),
        _("When a reward was given, to the referrer or to the friend, whoever got it."),
        Reader.CUSTOMER,
        Topic.REWARDS,
        Urgency.ACCOUNT,
        Standard(
            subject="{headline}",
            preheader="{news}",
            heading="{headline}",
            paragraphs=("{greeting}", "{news}"),
            button="{button}",
            target="about",
        ),
        placeholders={"headline": HEADLINE, "news": NEWS, "button": BUTTON, "amount": AMOUNT},
        details="reward_given",
        context=reward_context,
        sample=_sample_given,
    ),
    MessageKind(
        TAKEN_BACK,
        _("your reward was taken back"),
        _("When a reward, or a part of it, was taken back: after a refund or a cancellation, or by staff."),
        Reader.CUSTOMER,
        Topic.REWARDS,
        Urgency.ACCOUNT,
        Standard(
            subject="{headline}",
            preheader="",
            heading="{headline}",
            paragraphs=("{greeting}", "{news}"),
            button="{button}",
            target="account",
        ),
        placeholders={
            "headline": HEADLINE,
            "news": NEWS,
            "button": BUTTON,
            "amount": AMOUNT,
            "reason": _("Why it was taken back"),
        },
        context=reward_context,
        sample=_sample_taken_back,
    ),
)


def register() -> None:
    for kind in REWARD_KINDS:
        message_kinds.register(kind)
