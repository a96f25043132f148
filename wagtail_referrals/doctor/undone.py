"""Nothing stays: what is done inside is rolled back, and what no database can roll back is kept from happening."""

from __future__ import annotations

import io
import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import uuid4

from django.apps import apps
from django.conf import settings
from django.contrib.contenttypes.models import ContentType
from django.core.cache import caches
from django.core.files import File
from django.core.files.storage import Storage
from django.core.mail.backends.base import BaseEmailBackend
from django.db import DEFAULT_DB_ALIAS, connection, connections, router, transaction
from django.db.utils import DatabaseError
from django.utils.translation import gettext as _

# Engines of sessions whose entries go with the transaction, with the caches of the round, or with the browser.
SESSIONS: Final = frozenset(
    f"django.contrib.sessions.backends.{name}" for name in ("db", "cache", "cached_db", "signed_cookies")
)
# Loggers of ours: our receivers catch what fails, so that no page breaks, and tell it there only.
OURS: Final = ("wagtail_referrals", "oscar_integration")
# Django's lines about answers that are no page: the doctor says so itself.
DJANGOS: Final = (
    "django.request",
    "django.security",
    "django.security.DisallowedHost",
    "django.security.csrf",
)
# Customers go on shopping meanwhile: rather give up than keep one waiting.
LOCK_TIMEOUT: Final = "5s"


class CannotUndo(Exception):
    """What is tried in this database would stay. Its text is a sentence for the reader."""


class CallRefused(ConnectionRefusedError):
    """The process wanted to call another machine while the doctor was trying."""


class WriteRefused(DatabaseError):
    """Something wanted to write to another database than the default one."""


@dataclass
class Withheld:
    """What was kept from happening, and what our own code caught and only logged."""

    mails: int = 0
    files: int = 0
    calls: int = 0
    caught: list[BaseException] = field(default_factory=list)
    may_call: bool = False

    @contextmanager
    def calls_allowed(self) -> Iterator[None]:
        """While a public page is read: any visitor would cause the same."""
        before, self.may_call = self.may_call, True
        try:
            yield
        finally:
            self.may_call = before

    def take_caught(self) -> list[BaseException]:
        """What was caught since this was asked last."""
        caught, self.caught = self.caught, []
        return caught


# Who counts mails: Django makes a backend by its dotted path and hands it nothing of ours.
_open: list[Withheld] = []


class NoMail(BaseEmailBackend):
    """Counts what would have been sent."""

    def send_messages(self, email_messages: Any) -> int:
        number = len(list(email_messages))
        if _open:
            _open[-1].mails += number
        return number


def refuse_what_stays() -> None:
    """Raises ``CannotUndo`` where a transaction would not be rolled back."""
    connection.ensure_connection()
    if not connection.in_atomic_block and not connection.get_autocommit():
        raise CannotUndo(
            _('The database has "AUTOCOMMIT": False: what the doctor tries could not be told from the rest.')
        )
    if not connection.features.uses_savepoints or not connection.features.supports_transactions:
        raise CannotUndo(_("The database cannot roll back: what the doctor tries would stay."))
    if connection.vendor == "mysql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT table_name FROM information_schema.tables WHERE table_schema = DATABASE() AND engine IN "
                "('MyISAM', 'Aria', 'MEMORY', 'CSV', 'ARCHIVE')"
            )
            stuck = {row[0] for row in cursor.fetchall()} & set(connection.introspection.django_table_names())
        if stuck:
            raise CannotUndo(
                _("Tables of this database cannot roll back, %(table)s for one: make them InnoDB.")
                % {"table": min(stuck)}
            )


@contextmanager
def undone() -> Iterator[Withheld]:
    """Whatever happens inside leaves no trace. Raises ``CannotUndo`` before anything is done.

    One transaction, rolled back, so that nothing that waits for the commit runs; no mail; caches and sessions of its
    own in memory, empty; files in memory; no connection to another machine; no other database is written to.
    """
    refuse_what_stays()
    withheld = Withheld()
    with ExitStack() as stack:
        _open.append(withheld)
        stack.callback(_open.remove, withheld)
        stack.enter_context(_own_settings())
        stack.callback(_forget_rows)
        stack.enter_context(_files_in_memory(withheld))
        stack.enter_context(_no_calls(withheld))
        stack.enter_context(default_only())
        stack.enter_context(_logs(withheld))
        block: Any = transaction.atomic(using=DEFAULT_DB_ALIAS)
        # A shop's atomic(durable=True) refuses to stand inside another block, except in tests. This is one.
        block._from_testcase = True
        with block:
            if connection.vendor == "postgresql":
                with connection.cursor() as cursor:
                    cursor.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
            try:
                yield withheld
            finally:
                transaction.set_rollback(True)


@contextmanager
def _own_settings() -> Iterator[None]:
    # Django's test tools are imported where somebody examines, not in every process of the shop.
    from django.test.utils import override_settings

    own = {
        alias: {
            "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
            "LOCATION": f"referrals-doctor-{alias}-{uuid4().hex}",
            "OPTIONS": {"MAX_ENTRIES": 100_000},
        }
        for alias in settings.CACHES
    }
    session = settings.SESSION_ENGINE if settings.SESSION_ENGINE in SESSIONS else min(SESSIONS)
    with override_settings(
        CACHES=own, EMAIL_BACKEND=f"{NoMail.__module__}.{NoMail.__qualname__}", SESSION_ENGINE=session
    ):
        try:
            yield
        finally:
            for alias in own:
                caches[alias].clear()


def _forget_rows() -> None:
    """What this process remembers of rows that never were."""
    ContentType.objects.clear_cache()
    if apps.is_installed("django.contrib.sites"):
        sites: Any = apps.get_model("sites", "Site").objects
        sites.clear_cache()


@contextmanager
def _files_in_memory(withheld: Withheld) -> Iterator[None]:
    """Pages make smaller pictures when they are drawn first: those are kept here, and read from here."""
    kept: dict[tuple[int, str], bytes] = {}
    real_save, real_open = Storage.save, Storage.open

    def save(self: Storage, name: str | None, content: Any, max_length: int | None = None) -> str:
        given = self.get_available_name(name or content.name, max_length=max_length)
        content.seek(0)
        data = content.read()
        kept[id(self), given] = data.encode() if isinstance(data, str) else data
        withheld.files += 1
        return given

    def open_(self: Storage, name: str, mode: str = "rb") -> File[Any]:
        data = kept.get((id(self), name))
        return real_open(self, name, mode) if data is None else File(io.BytesIO(data), name)

    Storage.save, Storage.open = save, open_  # type: ignore[method-assign]
    try:
        yield
    finally:
        Storage.save, Storage.open = real_save, real_open  # type: ignore[method-assign]


@contextmanager
def _no_calls(withheld: Withheld) -> Iterator[None]:
    """No job is queued, no parcel announced, nothing charged. The database's own library is not Python's."""

    def guarded(name: str) -> Callable[..., Any]:
        real = getattr(socket.socket, name)

        def connect(self: socket.socket, *args: Any) -> Any:
            if withheld.may_call:
                return real(self, *args)
            withheld.calls += 1
            raise CallRefused

        return connect

    names = ("connect", "connect_ex")
    before = {name: socket.socket.__dict__.get(name) for name in names}
    for name in names:
        setattr(socket.socket, name, guarded(name))
    try:
        yield
    finally:
        for name, method in before.items():
            if method is None:
                delattr(socket.socket, name)
            else:
                setattr(socket.socket, name, method)


class _ReadWhereWritten:
    """Replicas know nothing of what is tried."""

    def db_for_read(self, model: Any, **hints: Any) -> str:
        return router.db_for_write(model, **hints)


@contextmanager
def default_only() -> Iterator[None]:
    """Other databases may be read and are not written to; what is read stands where it would be written."""
    others = [alias for alias in connections if alias != DEFAULT_DB_ALIAS]
    if not others:
        yield
        return

    def guard(execute: Any, sql: Any, params: Any, many: bool, context: dict[str, Any]) -> Any:
        if (
            str(sql)
            .lstrip(" (\n")
            .upper()
            .startswith(("SELECT", "WITH", "SHOW", "SET ", "PRAGMA", "EXPLAIN"))
        ):
            return execute(sql, params, many, context)
        raise WriteRefused

    routers = list(router.routers)
    router.routers[:] = [_ReadWhereWritten(), *routers]
    try:
        with ExitStack() as stack:
            for alias in others:
                stack.enter_context(connections[alias].execute_wrapper(guard))
            yield
    finally:
        router.routers[:] = routers


@contextmanager
def _logs(withheld: Withheld) -> Iterator[None]:
    """Our loggers and Django's about answers tell the doctor, and nobody else."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            if error is not None and record.name.split(".")[0] in OURS:
                withheld.caught.append(error)

    loggers = [logging.getLogger(name) for name in (*OURS, *DJANGOS)]
    before = [(logger, logger.handlers, logger.propagate, logger.disabled) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate, logger.disabled = [Listener()], False, False
    try:
        yield
    finally:
        for logger, handlers, propagate, disabled in before:
            logger.handlers, logger.propagate, logger.disabled = handlers, propagate, disabled
