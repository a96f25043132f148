"""A person who is deleted takes their words along; the number stays, as part of a score that is nobody's."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q
from django.db.models.signals import pre_delete

from wagtail_referrals.feedback.models import FeedbackSubmission
from wagtail_referrals.kinds import Side


def user_deleted(sender: Any, instance: Any, **kwargs: Any) -> None:
    theirs = Q(side=Side.ADVOCATE, referral__advocate__user=instance) | Q(
        side=Side.FRIEND, referral__friend=instance
    )
    ids = list(FeedbackSubmission.objects.filter(theirs).values_list("pk", flat=True))
    FeedbackSubmission.objects.filter(pk__in=ids).update(form_data={})


def connect() -> None:
    pre_delete.connect(
        user_deleted, sender=get_user_model(), dispatch_uid="wagtail_referrals.feedback.user_deleted"
    )
