"""What makes this room write."""

from __future__ import annotations

from wagtail_referrals import signals
from wagtail_referrals.messages import delivery, expiring, notices


def connect() -> None:
    signals.reward_changed.connect(
        notices.tell_about_reward, dispatch_uid="wagtail_referrals.messages.reward"
    )
    signals.sweeping.connect(
        expiring.announce_with_the_sweep, dispatch_uid="wagtail_referrals.messages.expiring"
    )
    delivery.specials[expiring.KIND] = delivery.Special(expiring.as_it_stands, expiring.context_of)
