"""Customers are in a plan's group while a membership of it opens doors."""

from __future__ import annotations

import logging
from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group, Permission
from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet

from oscar_integration.memberships.models import GroupGrant, Membership

logger = logging.getLogger("oscar_integration")

# Whoever has one of these gets into Wagtail, into Oscar's dashboard.
STAFF: Final = (("wagtailadmin", "access_admin"), ("partner", "dashboard_access"))
_BATCH: Final = 500


def staff_permissions() -> QuerySet[Permission]:
    query = Q()
    for app_label, codename in STAFF:
        query |= Q(content_type__app_label=app_label, codename=codename)
    return Permission.objects.filter(query)


def staff_groups() -> QuerySet[Group]:
    """Groups that open the administration: no membership puts a customer into one, whenever it got that right."""
    return Group.objects.filter(permissions__in=staff_permissions())


def sync_group(user_id: Any, *, now: datetime) -> None:
    """Put the customer into the groups of what they have now, and out of those they were put into before.

    Who was in a group by other means stays in it. Locks the customer, so that two memberships of one do not cross.
    2 queries where no group is concerned.
    """
    running = Membership.objects.filter(user=user_id, plan__group__isnull=False)
    if (
        running.exclude(state=Membership.State.ENDED).exists()
        or GroupGrant.objects.filter(user=user_id).exists()
    ):
        _sync([user_id], now)


def sync_all(now: datetime) -> int:
    """Make good what no membership said: a plan has another group than before, or somebody was taken out by hand.

    How many customers had to be moved. 2 queries where nobody has.
    """
    count = 0
    for batch in _batches(now):
        _sync(batch, now)
        count += len(batch)
    return count


def _batches(now: datetime) -> Iterator[list[Any]]:
    """Customers who are not in the groups that they should be in, each once, by the order of their keys."""
    last = None
    while True:
        users: set[Any] = set()
        for rows in (lacking(now), superfluous(now)):
            if last is not None:
                rows = rows.filter(user__gt=last)
            users.update(rows.order_by("user").values_list("user", flat=True).distinct()[:_BATCH])
        if not users:
            return
        batch = sorted(users)[:_BATCH]
        last = batch[-1]
        yield batch


def lacking(now: datetime) -> QuerySet[Membership]:
    through, user, group = _table()
    inside = through.objects.filter(**{user: OuterRef("user"), group: OuterRef("plan__group")})
    rows = Membership.objects.filter(
        Membership.open_at(now), ~Exists(inside), user__isnull=False, plan__group__isnull=False
    )
    return rows.exclude(plan__group__in=staff_groups())


def superfluous(now: datetime) -> QuerySet[GroupGrant]:
    reasons = Membership.objects.filter(
        Membership.open_at(now), user=OuterRef("user"), plan__group=OuterRef("group")
    )
    return GroupGrant.objects.filter(~Exists(reasons) | Q(group__in=staff_groups()))


def _table() -> tuple[Any, str, str]:
    """Who is in which group, with the names of its two columns: the shop's user model may have any name."""
    field: Any = get_user_model()._meta.get_field("groups")
    return field.remote_field.through, f"{field.m2m_field_name()}_id", f"{field.m2m_reverse_field_name()}_id"


def _sync(user_ids: Collection[Any], now: datetime) -> None:
    """As ``sync_group`` for many: at most 10 queries."""
    through, user, group = _table()
    with transaction.atomic():
        users = get_user_model()._default_manager.select_for_update(no_key=True, of=("self",))
        # One who was deleted meanwhile took everything along.
        locked = list(users.filter(pk__in=user_ids).order_by("pk").values_list("pk", flat=True))
        open_ones = Membership.objects.filter(
            Membership.open_at(now), user__in=locked, plan__group__isnull=False
        )
        wanted = set(open_ones.values_list("user", "plan__group"))
        groups = {group_id for _user_id, group_id in wanted}
        closed = set(staff_groups().filter(pk__in=groups).values_list("pk", flat=True)) if groups else set()
        for group_id in sorted(closed):
            logger.warning("Group %s opens the administration: no member of a plan is put into it", group_id)
        wanted = {pair for pair in wanted if pair[1] not in closed}
        granted = set(GroupGrant.objects.filter(user__in=locked).values_list("user", "group"))
        inside = set(through.objects.filter(**{f"{user}__in": locked}).values_list(user, group))

        added = wanted - inside
        through.objects.bulk_create(
            [through(**{user: user_id, group: group_id}) for user_id, group_id in sorted(added)],
            ignore_conflicts=True,
        )
        GroupGrant.objects.bulk_create(
            [GroupGrant(user_id=user_id, group_id=group_id) for user_id, group_id in sorted(added - granted)],
            ignore_conflicts=True,
        )
        left: dict[int, list[Any]] = {}
        for user_id, group_id in sorted(granted - wanted):
            left.setdefault(group_id, []).append(user_id)
        for group_id, members in left.items():
            through.objects.filter(**{f"{user}__in": members, group: group_id}).delete()
            GroupGrant.objects.filter(user__in=members, group=group_id).delete()
