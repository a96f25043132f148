"""Where people are asked: in the mail about a reward, and on their page, until they have answered."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode

from django.apps import apps
from django.conf import settings
from django.db.models import Q
from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Locale, Site

from wagtail_referrals import messages
from wagtail_referrals.feedback.models import FeedbackPageMixin, FeedbackSubmission
from wagtail_referrals.feedback.respondents import PARAMETER, last_rewarded, token_for
from wagtail_referrals.kinds import Side
from wagtail_referrals.messages.kinds import MessageKind, Reader, Standard, Topic, Urgency, message_kinds
from wagtail_referrals.messages.models import Message
from wagtail_referrals.messages.planning import planned
from wagtail_referrals.messages.sweeping import RECENT, by_key, register_planner
from wagtail_referrals.rewards.models import Reward
from wagtail_referrals.site import elsewhere
from wagtail_referrals.site.landing import pages_of_site


def find_feedback_page(site: Site | None, language: str) -> Any:
    """The site's first feedback page in this language, else in the default one; ``None`` where there is none."""
    if site is None:
        return None
    own = pages_of_site(site)
    for code in dict.fromkeys([language, language.split("-")[0], settings.LANGUAGE_CODE]):
        locale = Locale.objects.filter(language_code=code).first()
        for model in apps.get_models():
            if locale is not None and issubclass(model, FeedbackPageMixin):
                pages: Any = model._default_manager
                page = pages.live().public().filter(own, locale=locale).order_by("path").first()
                if page is not None:
                    return page
    return None


def _link(page: Any, referral_id: int, side: str) -> str:
    return f"{page.full_url}?{urlencode({PARAMETER: token_for(referral_id, side)})}"


def closing_of(message: Message) -> messages.Closing | None:
    """For the mail that says that a reward was given."""
    side = message.data.get("side")
    if message.referral_id is None or side is None:
        return None
    if FeedbackSubmission.objects.filter(referral_id=message.referral_id, side=side).exists():
        return None
    page = find_feedback_page(messages.site_of(message), get_language() or "")
    if page is None:
        return None
    return messages.Closing(
        gettext("How was it? One question, one minute: your answer helps us."),
        _link(page, message.referral_id, side),
        gettext("Tell us what you think"),
    )


def question_for(user: Any, site: Site | None) -> elsewhere.Question | None:
    """For the customer's page, once they were rewarded and have not answered yet."""
    respondent = last_rewarded(user)
    if respondent is None:
        return None
    if _has_answered(user):
        return None
    page = find_feedback_page(site, get_language() or "")
    if page is None:
        return None
    return elsewhere.Question(
        gettext("How do you like our referral program?"),
        _link(page, respondent.referral_id, respondent.side),
        gettext("Tell us what you think"),
    )


# A message of its own, for sites that want one: the mail about the reward asks already.

KIND: Final = "rate_us"
# So long after the reward they have had time to think of it.
AFTER: Final = timedelta(days=3)


def _questions(now: datetime) -> Iterator[Message]:
    """Who was given a reward some days ago, once each, whatever more is given to them."""
    given = Reward.objects.filter(
        given_at__gt=now - AFTER - RECENT, given_at__lte=now - AFTER, posted__gt=0, user__isnull=False
    )
    seen = set()
    for reward in by_key(given.select_related("user", "referral__claim", "advocate")):
        if reward.user_id in seen:
            continue
        seen.add(reward.user_id)
        key = f"{KIND}:{reward.user_id}"
        if not Message.objects.filter(key=key).exists() and not _has_answered(reward.user):
            language = (
                reward.advocate.language if reward.side == Side.ADVOCATE else reward.referral.claim.language
            )
            yield planned(
                KIND,
                key=key,
                user=reward.user,
                data={"side": reward.side},
                referral=reward.referral,
                language=language,
                now=now,
            )


def _has_answered(user: Any) -> bool:
    """About whichever referral: asked about one reward, they are not asked about each."""
    theirs = Q(referral__advocate__user=user, side=Side.ADVOCATE) | Q(referral__friend=user, side=Side.FRIEND)
    return FeedbackSubmission.objects.filter(theirs).exists()


def _question_is_due(message: Message, now: datetime) -> bool:
    return (
        message.user is not None
        and message.referral_id is not None
        and not _has_answered(message.user)
        and find_feedback_page(messages.site_of(message), message.language) is not None
    )


def _question_context(message: Message) -> dict[str, Any]:
    page = find_feedback_page(messages.site_of(message), get_language() or "")
    if page is None:
        return {}
    side = str(message.data.get("side", ""))
    if message.referral_id is None:
        # For a preview.
        return {"about_url": page.full_url}
    return {"about_url": _link(page, message.referral_id, side)}


def _sample() -> dict[str, Any]:
    return {"side": Side.ADVOCATE.value}


RATE_US: Final = MessageKind(
    KIND,
    _("how do you like our referral program?"),
    _("3 days after a reward was given, once to each customer, unless they have answered already."),
    Reader.CUSTOMER,
    Topic.TIPS,
    Urgency.EXTRA,
    Standard(
        subject=_("How do you like our referral program?"),
        preheader=_("One question, one minute."),
        heading=_("How do you like our referral program?"),
        paragraphs=("{greeting}", _("How was it? One question, one minute: your answer helps us.")),
        button=_("Tell us what you think"),
        target="about",
    ),
    is_due=_question_is_due,
    context=_question_context,
    sample=_sample,
    is_on=False,
)


def register() -> None:
    """Called when Django is ready."""
    messages.register_closing("reward_given", closing_of)
    message_kinds.register(RATE_US)
    register_planner(KIND, _questions)
    elsewhere.register_question(question_for)
