"""Why something was refused, is waiting or was taken back: codes in the rows, words for people."""

from __future__ import annotations

from typing import Any, Final

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

REASONS: Final[dict[str, Any]] = {
    # Refusals
    "own_link": _("this is the referrer's own link"),
    "existing_customer": _("the offer is for new customers, and this person has ordered before"),
    "window": _("the order came after the days to order were over"),
    "minimum": _("the order is below the minimum"),
    "cap": _("the referrer has reached the most rewards in this period"),
    "friend_cap": _("the most rewards for one friend have been reached"),
    "budget": _("the program's budget is used up"),
    "advocate_blocked": _("the referrer is blocked"),
    "program_closed": _("the program is closed"),
    "not_first": _("another order of this friend counts as the first"),
    "reviewer": _("a member of staff decided so"),
    "no_amount": _("the program gives nothing in this currency"),
    "unknown_kind": _("this site no longer knows this kind of reward"),
    "no_customer": _("the customer's account no longer exists"),
    "had_already": _("it is given once to each customer, and was given before"),
    # Requests about orders
    "not_matched": _("it could not be found that the order came by this referrer"),
    "denied": _("the person who was named says that they did not send the friend"),
    "unanswered": _("nobody decided about it in time"),
    "order_unknown": _("the shop knows no such order"),
    "own_order": _("the referrer placed this order themselves"),
    "other_referral": _("the order came by another invitation"),
    "advocate_inactive": _("the referrer cannot refer anybody at the moment"),
    "not_offered": _("the referrer had no program to offer when the order was placed, or has none now"),
    # Waiting
    "order": _("waiting for the friend's first order"),
    "other_products": _("the friend has ordered nothing so far that brings a reward"),
    "payment": _("waiting for the payment of the order"),
    "delivery": _("waiting for the delivery of the order"),
    "hold": _("waiting for the end of the waiting period"),
    "review": _("a member of staff will look at it"),
    "same_address": _("the order goes to an address of the referrer"),
    "account": _("waiting until somebody registers with this e-mail address"),
    "failed": _("giving it failed; it will be tried again"),
    # Taken back
    "cancelled": _("the order was cancelled"),
    "refunded": _("the order was refunded"),
    "below_minimum": _("after a refund the order is below the minimum"),
    "partly_refunded": _("a part of the order was refunded"),
    # Discounts
    "waits": _("it is saved, and cannot be used in the shop at the moment"),
    "lapsed": _("the days to order are over"),
    "replaced": _("another invitation took its place"),
    "revoked": _("it was withdrawn"),
    "other_person": _("it belongs to somebody else"),
    "used": _("it has been used already"),
    "order_stands": _("the order that used it before takes place after all"),
    "used_up": _("it was used already, and stays"),
}

# Where a reason speaks of the referrer, or of what they know as theirs: said to the referrer.
TO_ADVOCATE: Final[dict[str, Any]] = {
    "not_matched": _("we could not find that this order came by you"),
    "own_order": _("you placed this order yourself"),
    "advocate_inactive": _("your account cannot refer friends at the moment"),
    "not_offered": _("you had no program to offer when the order was placed, or have none now"),
    "own_link": _("this is your own link"),
    "existing_customer": _("the offer is for new customers, and your friend has ordered before"),
    "cap": _("you have reached the most rewards in this period"),
    "friend_cap": _("you have reached the most rewards for one friend"),
    "advocate_blocked": _("your account cannot refer friends at the moment"),
    "same_address": _("the order goes to one of your addresses"),
    "no_customer": _("your account no longer exists"),
    "account": _("waiting until you register with this e-mail address"),
}


def reason_words(code: str) -> str:
    """The reason in the current language; of a shop's own check its words, as the shop has translated them."""
    if code in REASONS:
        return str(REASONS[code])
    # Of nothing, gettext tells the head of its catalog.
    return gettext(code) if code else ""


def reason_for_advocate(code: str) -> str:
    """The reason in the current language, as the referrer reads it about their own referrals."""
    return str(TO_ADVOCATE[code]) if code in TO_ADVOCATE else reason_words(code)
