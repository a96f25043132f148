"""What makes this room write."""

from __future__ import annotations

from wagtail_referrals import signals
from wagtail_referrals.messages import expiring, kept, news, notices, nudges, planning, suppressing, sweeping
from wagtail_referrals.messages.kinds import label_of
from wagtail_referrals.messages.sequences import connect_sequences
from wagtail_referrals.referrals import name_messages


def connect() -> None:
    suppressing.connect()
    connect_sequences()
    signals.reward_changed.connect(
        notices.tell_about_reward, dispatch_uid="wagtail_referrals.messages.reward"
    )
    signals.all_told.connect(planning.write_with_all, dispatch_uid="wagtail_referrals.messages.all_told")
    signals.sweeping.connect(
        expiring.announce_with_the_sweep, dispatch_uid="wagtail_referrals.messages.expiring"
    )
    signals.sweeping.connect(kept.remind_with_the_sweep, dispatch_uid="wagtail_referrals.messages.kept")
    signals.swept.connect(sweeping.plan_with_the_sweep, dispatch_uid="wagtail_referrals.messages.sweeping")
    signals.referral_changed.connect(
        news.tell_about_refusal, dispatch_uid="wagtail_referrals.messages.refusal"
    )
    signals.discount_usable.connect(
        nudges.tell_about_discount, dispatch_uid="wagtail_referrals.messages.discount"
    )
    name_messages(label_of)
    for module in (notices, expiring, kept, news, nudges):
        module.register()
