"""The steps that every shop has."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from django.apps import apps
from django.contrib.contenttypes.models import ContentType
from django.db import transaction
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import gettext, ngettext
from django.utils.translation import gettext_lazy as _
from wagtail.models import Site

from wagtail_referrals import credit, messages
from wagtail_referrals.credit.models import Reservation
from wagtail_referrals.leaving.owed import WhatIsOwed
from wagtail_referrals.leaving.steps import NotDone, Say, Step, steps
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs import forget_open_terms
from wagtail_referrals.programs.models import Program
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards import RETRY, sweep
from wagtail_referrals.tracking.models import Lead
from wagtail_referrals.wagtail_versions import BASE_PAGE_MODEL_NAME

if TYPE_CHECKING:
    from wagtail.models import Page

LABELS = ("wagtail_referrals", "wagtail_referrals_credit")


class LastSweep(Step):
    """What is due by now is given, taken back or freed. From here on nothing is."""

    key = "sweep"
    label = _("What is due")

    def plan(self) -> list[str]:
        due = Referral.objects.filter(next_check_at__lte=timezone.now()).count()
        return (
            [
                ngettext(
                    "%(count)s referral is due and is settled a last time.",
                    "%(count)s referrals are due and are settled a last time.",
                    due,
                )
                % {"count": due}
            ]
            if due
            else []
        )

    def carry_out(self, say: Say) -> None:
        now = timezone.now()
        # What failed a moment ago is tried again in an hour: now is the time.
        soon = Referral.objects.filter(next_check_at__gt=now, next_check_at__lte=now + RETRY)
        soon.update(next_check_at=now)
        run = sweep()
        if run.settled or run.failed:
            say(
                gettext("Settled: %(settled)s. Failed: %(failed)s.")
                % {"settled": run.settled, "failed": run.failed}
            )
        if run.failed:
            raise NotDone(
                gettext(
                    "Something could not be settled, and what it brings is in no file: the log says why. Mend it and "
                    "run this again, or say --despite-failures."
                )
            )


class LastMessages(Step):
    """What waits for a worker or the sweep goes now; what waits for the morning, or for another try, never does."""

    key = "messages"
    label = _("Messages")

    def _waiting(self) -> Any:
        return Message.objects.filter(state=Message.State.PENDING)

    def plan(self) -> list[str]:
        number = self._waiting().count()
        return (
            [
                ngettext(
                    "%(count)s message waits to be sent. If it can be now, it is; else it never is.",
                    "%(count)s messages wait to be sent. Those that can be now are; the others never are.",
                    number,
                )
                % {"count": number}
            ]
            if number
            else []
        )

    def carry_out(self, say: Say) -> None:
        # Named, so that this process sends them: the workers may have been stopped.
        sent = messages.deliver_pending(now=timezone.now())
        given_up = self._waiting().update(state=Message.State.DROPPED, reason="left")
        if sent or given_up:
            say(
                gettext("Messages sent: %(sent)s. Never sent: %(given_up)s.")
                % {"sent": sent, "given_up": given_up}
            )


class Payments(Step):
    """Credit that is set aside belongs to a payment that may still succeed."""

    key = "payments"
    label = _("Credit set aside")

    def _open(self) -> Any:
        return Reservation.objects.filter(state=Reservation.State.ACTIVE)

    def obstacles(self, *, payments_over: bool) -> list[str]:
        under_way = [] if payments_over else self._open().filter(expires_at__gt=timezone.now())
        last = max((reservation.expires_at for reservation in under_way), default=None)
        if last is None:
            return []
        return [
            ngettext(
                "%(count)s payment with credit may be under way, until %(moment)s. Wait, or say --payments-over if "
                "none can come any more.",
                "%(count)s payments with credit may be under way, until %(moment)s. Wait, or say --payments-over if "
                "none can come any more.",
                len(under_way),
            )
            % {"count": len(under_way), "moment": date_format(localtime(last), "SHORT_DATETIME_FORMAT")}
        ]

    def plan(self) -> list[str]:
        number = self._open().count()
        return (
            [
                ngettext(
                    "%(count)s amount that is set aside for a payment is free again.",
                    "%(count)s amounts that are set aside for payments are free again.",
                    number,
                )
                % {"count": number}
            ]
            if number
            else []
        )

    def carry_out(self, say: Say) -> None:
        numbers = list(self._open().order_by("pk").values_list("order_number", flat=True))
        for number in numbers:
            credit.release(order_number=number)
        if numbers:
            say(gettext("Amounts set aside that are free again: %(count)s.") % {"count": len(numbers)})


class Programs(Step):
    """Nobody is promised anything any more."""

    key = "programs"
    label = _("Programs")

    def plan(self) -> list[str]:
        names = list(Program.objects.filter(live=True).values_list("name", flat=True))
        return (
            [gettext("These programs are closed: %(names)s.") % {"names": ", ".join(names)}] if names else []
        )

    def carry_out(self, say: Say) -> None:
        number = Program.objects.filter(live=True).update(live=False)
        forget_open_terms()
        if number:
            say(gettext("Programs closed: %(count)s.") % {"count": number})


def _every_page() -> Any:
    # A site may have swapped the base page.
    return apps.get_model(BASE_PAGE_MODEL_NAME)._default_manager.all()


class Pages(Step):
    """Wagtail cannot show a page whose type is gone. What editors have put below one moves up to its parent."""

    key = "pages"
    label = _("Pages")
    # Of which apps.
    page_labels: Collection[str] = LABELS

    def _pages(self) -> Any:
        types = ContentType.objects.filter(app_label__in=self.page_labels)
        return _every_page().filter(content_type__in=types).order_by("path")

    def plan(self) -> list[str]:
        found = []
        for page in self._pages():
            found.append(
                gettext("The page “%(title)s” (%(path)s) is deleted.")
                % {"title": page.title, "path": page.url_path}
            )
            for child in self._strangers(page):
                found.append(
                    gettext("The page “%(title)s” below it moves up to its parent.") % {"title": child.title}
                )
        return found

    def obstacles(self, *, payments_over: bool) -> list[str]:
        """A site goes with its first page."""
        return [
            gettext("The site %(site)s begins with our page “%(title)s”. Choose another page for it first.")
            % {"site": str(site), "title": site.root_page.title}
            for site in Site.objects.filter(root_page__in=self._pages()).select_related("root_page")
        ]

    def _strangers(self, page: Page) -> list[Page]:
        """Children that are not ours."""
        return [child for child in page.get_children().order_by("path") if not self._is_ours(child)]

    def _is_ours(self, page: Page) -> bool:
        return page.content_type.app_label in self.page_labels

    def carry_out(self, say: Say) -> None:
        # The deepest first, so that what is below one of ours has been looked after.
        for pk in list(self._pages().order_by("-depth", "path").values_list("pk", flat=True)):
            with transaction.atomic():
                page = _every_page().get(pk=pk)
                title = page.title
                for child in self._strangers(page):
                    self._move_up(child, _every_page().get(pk=page.pk))
                _every_page().get(pk=pk).delete()
            say(gettext("Deleted: the page “%(title)s”.") % {"title": title})

    def _move_up(self, child: Page, page: Page) -> None:
        """To the parent of ``page``, under a free address."""
        parent = page.get_parent()
        slug, number = child.slug, 1
        while not (
            page._slug_is_available(child.slug, parent, child)
            and page._slug_is_available(child.slug, page, child)
        ):
            number += 1
            child.slug = f"{slug}-{number}"
        if number > 1:
            child.save()
        _every_page().get(pk=child.pk).move(_every_page().get(pk=parent.pk), pos="last-child")


class KeptAddresses(Step):
    """Given to be sent an invitation: when there are no invitations, they are for nothing."""

    key = "addresses"
    label = _("Invitations kept by e-mail")

    def plan(self) -> list[str]:
        number = Lead.objects.count()
        if not number:
            return []
        return [
            ngettext(
                "%(count)s address that somebody left with an invitation is deleted.",
                "%(count)s addresses that people left with an invitation are deleted.",
                number,
            )
            % {"count": number}
        ]

    def carry_out(self, say: Say) -> None:
        number, _by_model = Lead.objects.all().delete()
        if number:
            say(
                ngettext("Deleted: %(count)s address.", "Deleted: %(count)s addresses.", number)
                % {"count": number}
            )


class OtherApps(Step):
    """Tables of other apps that stand on ours would keep them from being dropped."""

    key = "apps"
    label = _("Your own apps")

    def obstacles(self, *, payments_over: bool) -> list[str]:
        found = []
        leaving = {*LABELS, *(label for step in steps for label in step.labels)}
        for model in apps.get_models():
            if model._meta.app_label in leaving:
                continue
            if any(base.__module__.split(".")[0] == "wagtail_referrals" for base in model.__mro__):
                found.append(
                    gettext("The model %(model)s is made of ours. Change that, with a migration, first.")
                    % {"model": model._meta.label}
                )
            found += [
                gettext(
                    "The field %(model)s.%(field)s refers to our tables. Remove it, with a migration, first."
                )
                % {"model": model._meta.label, "field": field.name}
                for field in model._meta.local_fields
                if field.related_model is not None and field.related_model._meta.app_label in LABELS
            ]
        return found


def register_parts() -> None:
    # What is set aside pays a shortfall when it is free again: only then it is known what is owed.
    for step in (
        OtherApps(),
        LastSweep(),
        Payments(),
        WhatIsOwed(),
        LastMessages(),
        Programs(),
        Pages(),
        KeptAddresses(),
    ):
        steps.register(step)
