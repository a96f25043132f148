"""Running the audit: one consistent look at the database, which nobody waits for and which changes nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connections, router, transaction
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _

from wagtail_referrals.audit.findings import Check, Finding, Problem, Run, checks
from wagtail_referrals.credit.models import Entry

logger = logging.getLogger("wagtail_referrals")

CHECK_FAILED = Problem(
    "check_failed",
    _("Parts of the audit that could not be done"),
    _("The log says why. Until it is mended, nothing is known about this part."),
)


def audit(
    *,
    now: datetime | None = None,
    report: Callable[[Finding], None] = lambda finding: None,
    progress: Callable[[int, int], None] | None = None,
    only: Callable[[Check], bool] = lambda check: True,
) -> Run:
    """Compute everything again from the movements, the orders and the terms, and compare.

    ``report`` is told each finding as it is found. ``progress`` is told (rows looked at, rows in all). ``now`` is when
    things count as due. Only reads. Never raises for what it finds; a part that cannot be done is a finding too.
    """
    run = Run(now or timezone.now())
    wanted = [check for check in checks if only(check)]
    with one_look():
        if progress is not None:
            total = sum(check.rows() for check in wanted)
            done = 0

            def count(rows: int) -> None:
                nonlocal done
                done += rows
                progress(min(done, total), total)

            run.progress = count
        for check in wanted:
            for finding in _findings(check, run):
                run.found[finding.problem.key] = run.found.get(finding.problem.key, 0) + 1
                report(finding)
    return run


def _findings(check: Check, run: Run) -> Iterator[Finding]:
    try:
        # A savepoint: on PostgreSQL an error in one part would end the others.
        with transaction.atomic(using=_alias()):
            yield from check.run(run)
    except Exception as error:
        logger.exception("The audit of %s could not be done.", check.key)
        words = gettext("%(part)s: %(error)s. See the log.") % {
            "part": check.label,
            "error": type(error).__name__,
        }
        yield Finding(CHECK_FAILED, "check", check.key, words)


@contextmanager
def one_look() -> Iterator[None]:
    """Everything that is read inside is as of one moment, and nothing can be written.

    PostgreSQL: a transaction that is READ ONLY and REPEATABLE READ; a shop that goes on meanwhile is not kept waiting,
    and does not make sums disagree. SQLite: a deferred transaction, which is a snapshot in WAL mode. Inside a
    transaction of the caller's nothing of that can be had: then it reads there.
    """
    connection = connections[_alias()]
    if connection.in_atomic_block:
        yield
        return
    if connection.vendor == "sqlite":
        with _sqlite_look(connection):
            yield
        return
    with transaction.atomic(using=connection.alias):
        if connection.vendor == "postgresql":
            with connection.cursor() as cursor:
                cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield


@contextmanager
def _sqlite_look(connection: object) -> Iterator[None]:
    connection.ensure_connection()  # type: ignore[attr-defined]
    mode = connection.transaction_mode  # type: ignore[attr-defined]
    # IMMEDIATE would take the one writer's place.
    connection.transaction_mode = "DEFERRED"  # type: ignore[attr-defined]
    try:
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute("PRAGMA query_only = ON")
        with transaction.atomic(using=connection.alias):  # type: ignore[attr-defined]
            yield
    finally:
        connection.transaction_mode = mode  # type: ignore[attr-defined]
        with connection.cursor() as cursor:  # type: ignore[attr-defined]
            cursor.execute("PRAGMA query_only = OFF")


def _alias() -> str:
    return router.db_for_read(Entry)
