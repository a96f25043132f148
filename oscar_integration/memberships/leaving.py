"""What leaving means for memberships: nothing is charged any more, and what members have paid for is written down."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import connection
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _

from oscar_integration.memberships.models import GroupGrant, Membership, Plan, Renewal
from oscar_integration.memberships.renewals import switch_renewal
from wagtail_referrals import leaving

State = Membership.State
CHUNK: Final = 500


class Memberships(leaving.Step):
    """Comes before the last sweep, which would charge once more."""

    key = "memberships"
    label = _("Memberships")
    labels = ("referral_memberships",)

    def _is_there(self) -> bool:
        """Its tables may have been dropped before the engine's."""
        return Membership._meta.db_table in connection.introspection.table_names()

    def _renewing(self) -> QuerySet[Membership]:
        return Membership.objects.filter(renews=True, user__isnull=False).exclude(state=State.ENDED)

    def obstacles(self, *, payments_over: bool) -> list[str]:
        if payments_over or not self._is_there():
            return []
        number = Renewal.objects.filter(state=Renewal.State.CHARGING).count()
        if not number:
            return []
        return [
            ngettext(
                "%(count)s renewal is being charged, or it is not known yet whether it was. Wait for the sweep, or say "
                "--payments-over and ask your bank about it.",
                "%(count)s renewals are being charged, or it is not known yet whether they were. Wait for the sweep, "
                "or say --payments-over and ask your bank about them.",
                number,
            )
            % {"count": number}
        ]

    def plan(self) -> list[str]:
        if not self._is_there():
            return []
        found = []
        for number, words in (
            (
                self._renewing().count(),
                lambda n: ngettext(
                    "%(count)s membership renews itself no more, and no card is charged for it.",
                    "%(count)s memberships renew themselves no more, and no card is charged for them.",
                    n,
                ),
            ),
            (
                Membership.objects.filter(Membership.open_at(timezone.now()), user__isnull=False).count(),
                lambda n: ngettext(
                    "%(count)s membership runs. It is in the file, with its last day; from then on nothing says who "
                    "has one.",
                    "%(count)s memberships run. They are in the file, with their last days; from then on nothing says "
                    "who has one.",
                    n,
                ),
            ),
            (
                Membership.objects.filter(state=State.WAITING, user=None).count(),
                lambda n: ngettext(
                    "%(count)s membership waits for a guest to open an account. Only the order knows them.",
                    "%(count)s memberships wait for guests to open an account. Only the orders know them.",
                    n,
                ),
            ),
            (
                GroupGrant.objects.values("user").distinct().count(),
                lambda n: ngettext(
                    "%(count)s customer stays in the group that a membership gave them. Take them out on their last "
                    "day.",
                    "%(count)s customers stay in the groups that memberships gave them. Take them out on their last "
                    "days.",
                    n,
                ),
            ),
            (
                Plan.objects.filter(product__isnull=False).count(),
                lambda n: ngettext(
                    "%(count)s product that sells a membership goes on being sold, and opens none.",
                    "%(count)s products that sell memberships go on being sold, and open none.",
                    n,
                ),
            ),
        ):
            if number:
                found.append(words(number) % {"count": number})
        return found

    def owed(self) -> Iterator[leaving.Owed]:
        """A line for each membership that runs: what it is called, its code, its last day."""
        if not self._is_there():
            return
        running = Membership.objects.filter(Membership.open_at(timezone.now()), user__isnull=False)
        rows = running.select_related("plan").prefetch_related("plan__names").order_by("pk")
        for membership in rows.iterator(chunk_size=CHUNK):
            assert membership.ends_at is not None
            yield leaving.Owed(
                kind="membership",
                customer=str(membership.user_id),
                account="",
                currency="",
                amount="",
                words=_words(membership),
                code=membership.code,
                until=timezone.localtime(membership.ends_at).date().isoformat(),
            )

    def carry_out(self, say: leaving.Say) -> None:
        if not self._is_there():
            return
        ids = list(self._renewing().order_by("pk").values_list("pk", flat=True))
        for pk in ids:
            switch_renewal(pk, on=False)
        if ids:
            say(gettext("Memberships that renew themselves no more: %(count)s.") % {"count": len(ids)})


def _words(membership: Membership) -> str:
    if membership.uses_left is None:
        return membership.plan.title
    words = ngettext("%(plan)s, %(count)s use left", "%(plan)s, %(count)s uses left", membership.uses_left)
    return words % {"plan": membership.plan.title, "count": membership.uses_left}


def register() -> None:
    """Called once, from the app's ``ready``."""
    leaving.steps.register(Memberships(), before="sweep")
