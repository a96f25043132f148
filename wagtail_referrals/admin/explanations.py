"""What each listing shows, in the words of the people who look at it: a sentence or two, and the terms that it uses."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from django.db.models import Model
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.credit.models import Account, Entry
from wagtail_referrals.messages.models import Message, MessageTemplate, Sequence
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Audience, Program, Terms
from wagtail_referrals.programs.states import ProgramState
from wagtail_referrals.recognition.models import Badge, Featured
from wagtail_referrals.referrals.models import AttributionRequest, Purchase, Referral
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.tracking.models import Claim, Lead, Share, Visit


class Explanation(NamedTuple):
    """``terms``: what a word of the listing means, by the word."""

    text: Any
    terms: dict[Any, Any] = {}


EXPLANATIONS: Final[dict[type[Model], Explanation]] = {
    Program: Explanation(
        _(
            "A program says who may refer, what each side gets, and when. Where several are open, customers offer the "
            "first of this list that is for them: whoever may publish drags them into another order. What you publish "
            "holds for new friends; what was promised stays."
        ),
        {
            ProgramState.OPEN.label: _("invites new friends now"),
            ProgramState.DRAFT.label: _("was never published"),
            ProgramState.SCHEDULED.label: _("is published, and begins on its day"),
            ProgramState.USED_UP.label: _("invites nobody new until its budget is raised"),
            ProgramState.EXPIRED.label: _("is over since its last day"),
            ProgramState.CLOSED.label: _("was taken back: publish it to open it again"),
        },
    ),
    Audience: Explanation(
        _(
            "An audience is a part of your customers, by rules over what the shop knows about them. A program that "
            "names one can be offered by the customers in it only."
        )
    ),
    Badge: Explanation(
        _(
            "A badge stands beside a referrer's name, for friends, for what these ordered for, or because a program "
            "gives it. The engine gives badges, and takes them back when an order is returned."
        )
    ),
    Featured: Explanation(
        _(
            "Referrers whom you thank in public, in words of yours. Each is asked first, and appears only after a yes."
        )
    ),
    Sequence: Explanation(
        _(
            "A sequence sends one message after the other to somebody, from something that happens until its aim is "
            "reached. What you publish holds for all who are on the way. While it is unpublished they rest."
        )
    ),
    Referral: Explanation(
        _(
            "A referral is a friend who came by somebody's link or code, and has opened an account or ordered. Its "
            "page tells what happened, and why it is in this state."
        ),
        {
            Referral.State.WAITING_ORDER.label: _("the friend is known and has not ordered yet"),
            Referral.State.WAITING_PAYMENT.label: _("there is an order; the waiting period has not begun"),
            Referral.State.WAITING_PERIOD.label: _(
                "rewards are given when it is over, if nothing is returned"
            ),
            Referral.State.TO_CHECK.label: _("a check has found something: one of you decides"),
            Referral.State.REWARDED.label: _("what is owed has been given"),
            Referral.State.COMPLETE.label: _("all is done, and nobody gets anything"),
            Referral.State.REFUSED.label: _("a check or one of you has said no"),
            Referral.State.TAKEN_BACK.label: _("was rewarded, then the order was returned or cancelled"),
            Referral.State.EXPIRED.label: _("the friend did not order in time"),
        },
    ),
    AttributionRequest: Explanation(
        _(
            "Orders that came without a link: a friend says who sent them, or a referrer reports an order. Whoever is "
            "named confirms, or you do; until then nobody gets anything."
        )
    ),
    Lead: Explanation(
        _(
            "Addresses that friends left to have their invitation by e-mail. Each goes when it was used, when it is "
            "over, or when its owner asks."
        )
    ),
    Advocate: Explanation(
        _(
            "A referrer is a customer with a personal link and code, the same for all programs. Here you pause or "
            "block somebody, or thank them in public."
        ),
        {
            Advocate.State.ACTIVE.label: _("their link works"),
            Advocate.State.LEFT.label: _("they have left by themselves, and may come back"),
            Advocate.State.PAUSED.label: _("invites nobody new; what was promised is kept"),
            Advocate.State.BLOCKED.label: _("invites nobody, and friends who still come are refused"),
        },
    ),
    Reward: Explanation(
        _(
            "A reward is what one side gets, by one line of a program, for one friend. It is given by itself when the "
            "waiting period is over."
        ),
        {
            Reward.State.WAITING.label: _("comes when the waiting period is over"),
            Reward.State.TO_CHECK.label: _("waits until one of you has decided"),
            Reward.State.GIVEN.label: _("the customer has it"),
            Reward.State.REDUCED.label: _("a part of the order was returned"),
            Reward.State.TAKEN_BACK.label: _("the order was returned or cancelled"),
            Reward.State.REFUSED.label: _("nobody gets it; the referral's page says why"),
            Reward.State.FAILED.label: _("the shop could not give it yet; nothing is lost"),
        },
    ),
    Account: Explanation(
        _("The referral credit of each customer, one line for each currency."),
        {
            _("balance"): _("what the customer has"),
            _("set aside"): _("the part of it that an order being paid holds"),
            _("still to recover"): _(
                "what was taken back after it had been spent; the next credit goes there first"
            ),
        },
    ),
    Entry: Explanation(
        _(
            "Each change of each balance, in order. Nothing here is ever changed or deleted: what was wrong is "
            "corrected by a movement of its own."
        )
    ),
    Terms: Explanation(
        _(
            "Each published version of a program, frozen. A friend is judged by the version that they were shown, "
            "whatever you have changed since."
        )
    ),
    Visit: Explanation(_("A visit is one time that somebody followed a personal link. Robots are left out.")),
    Claim: Explanation(
        _(
            "An invitation is saved when a friend puts something into the basket, registers, or types a code: from "
            "then on what was promised is kept for them."
        )
    ),
    Purchase: Explanation(
        _(
            "Orders of friends, each as the referral's programs saw it when it was placed: goods without delivery."
        )
    ),
    MessageTemplate: Explanation(
        _(
            "Messages in your own words. One that is published takes the place of the standard words: for its program, "
            "or for all programs that have none of their own."
        )
    ),
    Message: Explanation(
        _(
            "Each message to each person, once. What could not be handed over is tried again for about four hours, and "
            "then has failed."
        ),
        {
            Message.State.PENDING.label: _(
                "waits for its time, for quiet hours to end, or to be tried again"
            ),
            Message.State.SENT.label: _("was handed to the mail server; whether it was read, nobody knows"),
            Message.State.UNSURE.label: _("the connection broke while it was handed over: not sent again"),
            Message.State.DROPPED.label: _("was not to be sent any more; the reason says why"),
            Message.State.FAILED.label: _("was tried often enough, or refused: you can send it again"),
        },
    ),
    Share: Explanation(
        _("One time that a referrer passed the link on. The button knows the way, not to whom.")
    ),
}


def explain(model: type[Model], explanation: Explanation) -> None:
    """Say what stands above the listing of an app's own model."""
    EXPLANATIONS[model] = explanation


def explanation_of(model: type[Model] | None) -> Explanation | None:
    """What to say above the listing of this model; ``None`` where there is nothing to say."""
    return EXPLANATIONS.get(model) if model is not None else None
