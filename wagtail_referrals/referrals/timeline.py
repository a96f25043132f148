"""The timeline: every fact, check, decision and message of a referral, in words that people can read.

Rows hold a kind and plain values; the words are made when somebody reads, in their language. Never an e-mail address.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _

from wagtail_referrals import credit
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import kept_gift_words
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.referrals.reasons import reason_words
from wagtail_referrals.tracking.models import Claim

WORDS: Final[dict[str, Any]] = {
    "claim": _("The friend came by %(source)s, and the invitation was saved."),
    "claim_refused": _("The invitation was not saved: %(reason)s."),
    "claim_lapsed": _("The invitation has ended: %(reason)s."),
    "basket": _("The invitation was tied to a basket."),
    "discount_issued": _("The friend's discount was put into the basket: %(gift)s."),
    "discount_waits": _(
        "The friend is promised a discount, %(gift)s. The shop gives none at present: it waits until it does."
    ),
    "reward_waits": _(
        "The shop gives no discounts at present: the reward %(of_side)s waits until it does: %(gift)s."
    ),
    "reward_usable": _("The reward %(of_side)s can be used now: %(gift)s."),
    "discount_again": _("The order was cancelled before delivery: the friend has the discount again."),
    "discount_withdrawn": _("The discount was withdrawn: %(reason)s."),
    "discount_reopened": _(
        "The friend gave another e-mail address or signed in, and has the discount again: %(gift)s."
    ),
    "discount_used": _("The friend used a discount of %(amount)s in order %(reference)s."),
    "reward_used": _("The reward %(of_side)s was used in order %(reference)s: it took off %(amount)s."),
    "reward_again": _(
        "Order %(reference)s, which used the reward %(of_side)s, was cancelled before delivery: it can be used again."
    ),
    "registered": _("The friend opened an account."),
    "purchase": _("The friend placed order %(reference)s over %(amount)s."),
    "check_pass": _("Checked and in order: %(check)s."),
    "check_hold": _("To check because of “%(check_name)s”: %(reason)s."),
    "check_refuse": _("Refused: %(reason)s."),
    "review_approve": _("Approved by a member of staff. %(note)s"),
    "review_refuse": _("Refused by a member of staff. %(note)s"),
    "review_postpone": _("A member of staff will look at it again on %(until)s. %(note)s"),
    "order_reported": _("The referrer says that a friend of theirs placed order %(reference)s."),
    "friend_named": _("Somebody who ordered has named the referrer, who is asked whether that is so."),
    "request_confirmed": _("It was confirmed that order %(reference)s came by the referrer."),
    "request_refused": _("It was not confirmed that order %(reference)s came by the referrer: %(reason)s."),
    "request_lapsed": _("Whether order %(reference)s came by the referrer was never said: %(reason)s."),
    "state": _("New state: %(state)s (%(reason)s)."),
    "state_plain": _("New state: %(state)s."),
    "state_until": _("New state: %(state)s, until %(until)s."),
    "reward_given": _("Reward given %(to_side)s: %(amount)s."),
    "reward_reduced": _("Reward %(of_side)s taken back in part, %(amount)s: %(reason)s."),
    "reward_taken_back": _("Reward %(of_side)s taken back, %(amount)s: %(reason)s."),
    "reward_kept": _(
        "The reward %(of_side)s stays, as it was used already: %(amount)s. Otherwise it would have been taken back: "
        "%(reason)s."
    ),
    "reward_refused": _("No reward %(for_side)s: %(reason)s."),
    "reward_failed": _("Giving the reward %(of_side)s failed; it will be tried again."),
    "reward_retry": _("A member of staff had the reward %(of_side)s tried again."),
    "message": _("Message sent %(to_side)s: %(message)s."),
    "message_not_sent": _("Message %(to_side)s not sent: %(message)s. The reason: %(not_sent)s."),
    "message_unsure": _(
        "Message %(to_side)s may have been sent: %(message)s. It was being handed over when the work was interrupted."
    ),
}

# With their preposition: in many languages it melts with the article.
SIDES: Final[dict[str, dict[str, Any]]] = {
    "to_side": {"friend": _("to the friend"), "advocate": _("to the referrer")},
    "of_side": {"friend": _("of the friend"), "advocate": _("of the referrer")},
    "for_side": {"friend": _("for the friend"), "advocate": _("for the referrer")},
}
SOURCES: Final = {
    "link": _("a share link"),
    "code": _("a typed code"),
    "attached": _("an invitation that the shop passed on"),
    "named": _("what they said at the checkout"),
    "reported": _("what the referrer reported"),
}
CHECKS: Final[dict[str, Any]] = {
    "own_account": _("not the referrer's own account"),
    "own_email": _("not the referrer's own e-mail address"),
    "new_customer": _("a new customer"),
    "same_address": _("another address than the referrer's"),
    "advocate_state": _("the referrer is not blocked"),
}
# What checks are called, by their keys: said by whoever has them, see ``name_checks``.
_check_names: Final[list[Callable[[str], Any]]] = []
# What messages are called, by their kinds: said by whoever has them, see ``name_messages``.
_message_names: Final[list[Callable[[str], Any]]] = []

# Why a message was not sent: what stands in its reason. As the end of "not sent: ...".
NOT_SENT: Final[dict[str, Any]] = {
    "switched_off": _("such messages are switched off"),
    "unwanted": _("the reader does not want it"),
    "suppressed": _("nothing more is sent to this address"),
    "not_due": _("there was no cause for it any more"),
    "no_address": _("there is no address to send it to"),
    "refused": _("the address was refused"),
    "not_taken": _("the mail server did not take it, and it was tried often enough"),
    "not_written": _("it could not be put together, and it was tried often enough"),
    "left": _("the site gives its referral programs up"),
}


def name_checks(ask: Callable[[str], Any]) -> None:
    """Let the timeline call checks by their names. ``ask``: the name for a key, "" for one that is not known."""
    if ask not in _check_names:
        _check_names.append(ask)


def name_messages(ask: Callable[[str], Any]) -> None:
    """Let the timeline call messages by their names. ``ask``: the name for a kind, "" for one that is not known."""
    if ask not in _message_names:
        _message_names.append(ask)


def message_name(kind: str) -> str:
    """What a message is called, in the current language; its kind for one that the site no longer has."""
    return next((str(name) for name in (ask(kind) for ask in _message_names) if name), kind)


def check_name(key: str) -> str:
    """What a check is called, in the current language; its key for one that the site no longer has."""
    return next((str(name) for name in (ask(key) for ask in _check_names) if name), key)


def record(
    kind: str,
    *,
    referral: Referral | None = None,
    claim: Claim | None = None,
    advocate: Advocate | None = None,
    data: dict[str, Any] | None = None,
    actor: Any = None,
    key: str | None = None,
    now: datetime | None = None,
) -> None:
    """Write one event. With a ``key`` it is written once, whatever runs twice or at once."""
    write(
        [
            event(
                kind,
                referral=referral,
                claim=claim,
                advocate=advocate,
                data=data,
                actor=actor,
                key=key,
                now=now,
            )
        ]
    )


def event(
    kind: str,
    *,
    referral: Referral | None = None,
    claim: Claim | None = None,
    advocate: Advocate | None = None,
    data: dict[str, Any] | None = None,
    actor: Any = None,
    key: str | None = None,
    now: datetime | None = None,
) -> TimelineEvent:
    """An event for ``write``. The referral's claim is its claim, unless one is named."""
    return TimelineEvent(
        kind=kind,
        referral=referral,
        claim=claim or (referral.claim if referral else None),
        advocate=advocate,
        data=data or {},
        actor=actor,
        key=key,
        created_at=now or timezone.now(),
    )


def write(events: Sequence[TimelineEvent]) -> None:
    """Write events, in one statement; those whose key is there already are passed over."""
    TimelineEvent.objects.bulk_create(events, ignore_conflicts=True)


def gift_words(data: dict[str, Any]) -> str:
    """What was given, of an event about something without an amount; "" for the others."""
    return kept_gift_words(data["gift"]) if data.get("gift") else ""


def money_words(data: dict[str, Any]) -> str:
    """The amount of an event; "a discount" and the like have none."""
    try:
        return credit.format_money(Decimal(data["amount"]), data["currency"])
    except (KeyError, InvalidOperation, TypeError):
        return gift_words(data)


def moment_words(text: str | None) -> str:
    moment = parse_datetime(text) if text else None
    return date_format(timezone.localtime(moment), "DATE_FORMAT") if moment else ""


def event_words(event: TimelineEvent) -> str:
    """What happened, as a sentence in the current language."""
    data = event.data
    template = WORDS.get(event.kind)
    if template is None:
        return event.kind
    reason = str(data.get("reason", ""))
    return (
        str(template)
        % {
            "source": SOURCES.get(str(data.get("source")), data.get("source", "")),
            "reason": reason_words(reason),
            "not_sent": NOT_SENT.get(reason, reason),
            "gift": gift_words(data),
            "amount": money_words(data),
            "reference": data.get("reference", ""),
            "check": CHECKS.get(str(data.get("check"))) or check_name(str(data.get("check", ""))),
            "check_name": check_name(str(data.get("check", ""))),
            "note": data.get("note", ""),
            "state": dict(Referral.State.choices).get(str(data.get("state")), data.get("state", "")),
            "until": moment_words(data.get("until")),
            **{name: sides.get(str(data.get("side")), data.get("side", "")) for name, sides in SIDES.items()},
            "message": message_name(str(data.get("message", ""))),
        }
    ).strip()


def events_of(referral: Referral) -> list[TimelineEvent]:
    """The referral's timeline with what happened to its claim before, oldest first. One query."""
    return list(
        TimelineEvent.objects.filter(claim_id=referral.claim_id)
        .select_related("actor")
        .order_by("created_at", "pk")
    )
