"""What everything stands on: settings, the database, mails, and the sweep that makes things happen at all."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from email.utils import parseaddr
from typing import Any, Final

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, connection
from django.utils.module_loading import import_string
from django.utils.timesince import timesince
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.models import Site

from wagtail_referrals import insights
from wagtail_referrals.credit import triggers
from wagtail_referrals.doctor.findings import Finding, broken, fine, look
from wagtail_referrals.doctor.trial import Trial
from wagtail_referrals.referrals.models import Referral
from wagtail_referrals.rewards.models import Reward, SweepRun
from wagtail_referrals.site.settings import sender_of
from wagtail_referrals.tracking import ReferralMiddleware

# Our own tag, and the one of checks that ask the database, some of which are ours.
OUR_TAGS: Final = ("referrals", checks.Tags.database)
# How our checks are called: "referrals.E001", "oscar_integration.W008".
OUR_CHECKS: Final = ("referrals.", "oscar_integration.", "wagtail_referrals.")
# A sweep runs every few minutes.
JUST_NOW: Final = timedelta(minutes=1)
LATE: Final = timedelta(hours=1)
VERY_LATE: Final = timedelta(days=1)
SILENT_BACKENDS: Final = frozenset(
    f"django.core.mail.backends.{name}.EmailBackend" for name in ("console", "dummy", "filebased", "locmem")
)


def examine_ground(trial: Trial) -> Iterator[Finding]:
    yield from _system_checks()
    yield from _ledger()
    yield from _middleware()
    yield from _mail()


def _system_checks() -> Iterator[Finding]:
    said = False
    for message in checks.run_checks(tags=OUR_TAGS, databases=[DEFAULT_DB_ALIAS]):
        if message.is_silenced() or not str(message.id).startswith(OUR_CHECKS):
            continue
        said = True
        words = f"{message.id}: {message.msg}"
        say = broken if message.level >= checks.ERROR else look
        yield say(words, message.hint or "")
    if not said:
        yield fine(_("The system checks have nothing to say."))


def _ledger() -> Iterator[Finding]:
    if connection.vendor not in ("postgresql", "sqlite"):
        yield look(
            _("On this database nothing but our own code keeps entries of the ledger from being changed."),
            _("Use PostgreSQL, where the database refuses it."),
        )
        return
    missing = triggers.missing(DEFAULT_DB_ALIAS)
    if missing:
        yield broken(
            _("Entries of the ledger could be changed or deleted: the trigger %(name)s is missing.")
            % {"name": missing[0]},
            _('Run "manage.py migrate --skip-checks": it installs the triggers.'),
        )
    else:
        yield fine(_("The database refuses to change or delete an entry of the ledger."))


def middleware_is_installed() -> bool:
    for path in settings.MIDDLEWARE:
        try:
            found = import_string(path)
        except ImportError:
            continue
        if isinstance(found, type) and issubclass(found, ReferralMiddleware):
            return True
    return False


def _middleware() -> Iterator[Finding]:
    if middleware_is_installed():
        return
    yield broken(
        _("The middleware is missing: no page notices that a friend is about to order."),
        _('Add "wagtail_referrals.tracking.ReferralMiddleware" at the end of MIDDLEWARE.'),
    )


def _mail() -> Iterator[Finding]:
    site = Site.objects.filter(is_default_site=True).first()
    sender = sender_of(site.pk if site is not None else None) or str(settings.DEFAULT_FROM_EMAIL)
    if not sender or parseaddr(sender)[1] == "webmaster@localhost":
        yield look(
            _("Mails about rewards come from %(sender)s: most mailboxes refuse that.")
            % {"sender": sender or "-"},
            _(
                "Set DEFAULT_FROM_EMAIL to an address of the shop, or give one in Settings > Referral programs."
            ),
        )
    # The doctor has put its own backend in the place of the shop's.
    backend = str(_shops_own("EMAIL_BACKEND"))
    if backend in SILENT_BACKENDS:
        yield look(
            _("Mails go nowhere: EMAIL_BACKEND is %(backend)s.") % {"backend": backend},
            _("On the server, set it to one that sends."),
        )
        return
    if sender and sender != "webmaster@localhost":
        yield fine(_("Mails have a sender. None is sent while the doctor tries."))


def _shops_own(name: str) -> Any:
    """A setting as the shop has it, under what the doctor has put over it."""
    layer: Any = getattr(settings, "_wrapped")  # noqa: B009
    for _layer in range(20):
        if name in vars(layer) and "doctor" not in str(vars(layer)[name]):
            return vars(layer)[name]
        if "default_settings" not in vars(layer):
            break
        layer = layer.default_settings
    return getattr(layer, name)


def examine_sweep(trial: Trial) -> Iterator[Finding]:
    now = trial.now
    last = SweepRun.objects.order_by("-started_at").first()
    done = SweepRun.objects.filter(finished_at__isnull=False).order_by("-finished_at").first()
    mend = _('Run "manage.py referrals_sweep" every few minutes, from cron or a task worker.')
    if last is None:
        yield broken(_("The sweep has never run: no waiting period ends, and no reward is given."), mend)
    elif done is None or done.finished_at is None:
        yield broken(
            _("The sweep has begun, %(ago)s ago, and has never come to its end.")
            % {"ago": timesince(last.started_at, now)},
            _('Run "manage.py referrals_sweep" by hand and see what it says.'),
        )
    else:
        ago = {"ago": timesince(done.finished_at, now)}
        age = now - done.finished_at
        if age > VERY_LATE:
            yield broken(_("The sweep ran %(ago)s ago and not since.") % ago, mend)
        elif age > LATE:
            yield look(_("The sweep ran %(ago)s ago.") % ago, mend)
        elif age < JUST_NOW:
            yield fine(_("The sweep has just run."))
        else:
            yield fine(_("The sweep ran %(ago)s ago.") % ago)
        if done.failed:
            words = ngettext("%(count)s thing failed in it.", "%(count)s things failed in it.", done.failed)
            yield look(words % {"count": done.failed}, _("The log of that moment says what."))
    yield from _waiting(trial)
    behind = len(insights.due_days(trial.now))
    if behind > insights.MOST_DAYS:
        words = ngettext(
            "Reports count %(count)s day anew each time.",
            "Reports count %(count)s days anew each time.",
            behind,
        )
        yield look(words % {"count": behind}, _('Run "manage.py referrals_figures" once.'))


def _waiting(trial: Trial) -> Iterator[Finding]:
    due = Referral.objects.filter(next_check_at__lte=trial.now)
    number, overdue = due.count(), due.filter(next_check_at__lte=trial.now - LATE).count()
    if overdue:
        words = ngettext(
            "%(count)s referral has been due for more than an hour.",
            "%(count)s referrals have been due for more than an hour.",
            overdue,
        )
        yield look(words % {"count": overdue}, _('Does "manage.py referrals_sweep" run often enough?'))
    elif not number:
        yield fine(_("Nothing waits for it."))
    else:
        words = ngettext("%(count)s referral is due now.", "%(count)s referrals are due now.", number)
        yield fine(words % {"count": number})
    failed = Reward.objects.filter(state=Reward.State.FAILED).count()
    if failed:
        words = ngettext(
            "%(count)s reward could not be given and is tried again every hour.",
            "%(count)s rewards could not be given and are tried again every hour.",
            failed,
        )
        yield look(words % {"count": failed}, _("The timeline of the referral and the log say why."))
