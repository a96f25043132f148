"""Customers are in a plan's group while a membership of it opens doors."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.db import transaction

from oscar_integration.memberships.models import GroupGrant, Membership


def sync_group(user_id: Any, *, now: datetime) -> None:
    """Put the customer into the groups of what they have now, and out of those they were put into before.

    Who was in a group by other means stays in it. Locks the customer, so that two memberships of one do not cross.
    """
    memberships = Membership.objects.filter(user=user_id, plan__group__isnull=False).select_related("plan")
    granted = set(GroupGrant.objects.filter(user=user_id).values_list("group", flat=True))
    if not granted and not memberships.exclude(state=Membership.State.ENDED).exists():
        return
    with transaction.atomic():
        user: Any = (
            get_user_model()._default_manager.select_for_update(no_key=True, of=("self",)).get(pk=user_id)
        )
        granted = set(GroupGrant.objects.filter(user=user).values_list("group", flat=True))
        wanted = {membership.plan.group_id for membership in memberships.all() if membership.is_open(now)}
        inside = set(user.groups.values_list("pk", flat=True))
        for group_id in wanted - inside - granted:
            GroupGrant.objects.create(user=user, group_id=group_id)
        user.groups.add(*Group.objects.filter(pk__in=wanted - inside))
        user.groups.remove(*Group.objects.filter(pk__in=granted - wanted))
        GroupGrant.objects.filter(user=user, group__in=granted - wanted).delete()
