"""Whatever the doctor tries, nothing of it is there afterwards: on both databases, with a real transaction."""

from __future__ import annotations

import os
import socket
from pathlib import Path
from typing import Any

import pytest
from django.core import mail
from django.core.cache import caches
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage
from django.core.mail import send_mail
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, connections, router, transaction
from oscar.apps.order.signals import order_placed, order_status_changed
from oscar.core.loading import get_model

from tests.doctor.patient import examine
from wagtail_referrals.doctor import Verdict, crash
from wagtail_referrals.doctor.undone import (
    CallRefused,
    CannotUndo,
    WriteRefused,
    default_only,
    refuse_what_stays,
    undone,
)
from wagtail_referrals.people.models import Advocate


def everything() -> dict[str, list[str]]:
    """All rows of all tables."""
    found = {}
    with connection.cursor() as cursor:
        for table in connection.introspection.table_names(cursor):
            cursor.execute(f"SELECT * FROM {connection.ops.quote_name(table)}")
            found[table] = sorted(repr(row) for row in cursor.fetchall())
    return found


def files(folder: Any) -> list[str]:
    return sorted(os.path.join(where, name) for where, _folders, names in os.walk(folder) for name in names)


def cached() -> dict[Any, Any]:
    return {alias: dict(caches[alias]._cache) for alias in caches.settings}


@pytest.fixture
def seeded(transactional_db, small_pictures, settings, tmp_path):
    """The whole shop, committed: home page with pictures, customers, a published program, orders."""
    from tests.oscar_integration.shopping import make_program

    call_command("seed_shop", verbosity=0)
    make_program()
    caches["default"].set("of_the_shop", 1)
    return tmp_path


def test_it_leaves_nothing(seeded, settings, mailoutbox):
    after_commit, placed = [], []

    def on_placed(sender, order, **kwargs):
        placed.append(order.number)
        transaction.on_commit(lambda: after_commit.append(order.number))
        send_mail("A new order", "at last", None, ["staff@example.com"])
        default_storage.save("invoices/new.pdf", ContentFile(b"%PDF"))
        caches["default"].set("last_order", order.number)

    order_placed.connect(on_placed)
    try:
        rows, kept, there = everything(), cached(), files(settings.MEDIA_ROOT)
        record = examine()
        assert everything() == rows
        assert cached() == kept
        assert files(settings.MEDIA_ROOT) == there
    finally:
        order_placed.disconnect(on_placed)
    assert placed, "an order was really placed"
    assert record.result is not None
    assert record.result.withheld.mails >= 1
    assert record.result.withheld.files >= 1
    assert (after_commit, mailoutbox, mail.outbox) == ([], [], [])
    assert not connection.in_atomic_block
    assert connection.run_on_commit == []


def test_nothing_is_left_when_it_is_interrupted(seeded, monkeypatch):
    from oscar_integration.doctor import order

    def interrupted(*args):
        raise KeyboardInterrupt

    rows, kept = everything(), cached()
    monkeypatch.setattr(order, "_attributed", interrupted)
    with pytest.raises(KeyboardInterrupt):
        examine()
    assert everything() == rows
    assert cached() == kept


def test_caches_of_the_shop_are_neither_read_nor_written(db):
    caches["default"].set("colour", "red")
    with undone():
        assert caches["default"].get("colour") is None
        caches["default"].set("colour", "blue")
        caches["default"].set("size", 4)
    assert (caches["default"].get("colour"), caches["default"].get("size")) == ("red", None)


def test_files_are_kept_in_memory_and_can_be_read_there(settings, tmp_path, db):
    settings.MEDIA_ROOT = tmp_path
    with undone() as withheld:
        name = default_storage.save("a/b.txt", ContentFile(b"abc"))
        assert default_storage.open(name).read() == b"abc"
    assert withheld.files == 1
    assert files(tmp_path) == []


def test_no_call_gets_out_and_public_pages_may_call(db):
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = server.getsockname()
        with undone() as withheld:
            with pytest.raises(CallRefused):
                socket.create_connection(address)
            with withheld.calls_allowed():
                socket.create_connection(address).close()
        assert withheld.calls == 1
        socket.create_connection(address).close()


def test_mail_goes_nowhere(db, mailoutbox):
    with undone() as withheld:
        send_mail("Hello", "there", None, ["ada@example.com"])
    assert (withheld.mails, mailoutbox) == (1, [])


def test_a_durable_block_of_the_shop_works_inside(transactional_db):
    with undone(), transaction.atomic(durable=True):
        Advocate.objects.create(created_at="2026-01-01T00:00Z")
    assert not Advocate.objects.exists()


def test_without_autocommit_nothing_is_tried(transactional_db):
    connection.set_autocommit(False)
    try:
        with pytest.raises(CannotUndo, match="AUTOCOMMIT"):
            refuse_what_stays()
        with pytest.raises(CommandError, match="AUTOCOMMIT"):
            call_command("referrals_doctor")
    finally:
        connection.rollback()
        connection.set_autocommit(True)
    assert not get_model("basket", "Basket").objects.exists()


def test_a_database_that_cannot_roll_back_is_refused(db, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(connection.features, "supports_transactions", False, raising=False)
        with pytest.raises(CannotUndo, match="roll back"):
            refuse_what_stays()


def test_a_change_of_status_sends_nothing(seeded, mailoutbox):
    def tell(sender, order, **kwargs):
        send_mail("Your order", order.number, None, ["ada@example.com"])

    order_status_changed.connect(tell)
    try:
        record = examine()
    finally:
        order_status_changed.disconnect(tell)
    assert record.result is not None
    assert record.result.withheld.mails >= 5
    assert mailoutbox == []


def test_no_folder_of_sessions(settings, tmp_path, seeded):
    settings.SESSION_ENGINE = "django.contrib.sessions.backends.file"
    settings.SESSION_FILE_PATH = str(tmp_path / "sessions")
    Path(settings.SESSION_FILE_PATH).mkdir()
    examine()
    assert files(settings.SESSION_FILE_PATH) == []


def test_it_keeps_no_customer_waiting(transactional_db):
    """Somebody is buying the same product: the doctor gives up after a while, and says that this is no sickness."""
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")
    with undone(), connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "5s"
    with connection.cursor() as cursor:
        cursor.execute("SHOW lock_timeout")
        assert cursor.fetchone()[0] == "0"


def test_a_lock_is_no_sickness():
    class LockNotAvailable(Exception):
        pass

    error = OperationalError()
    error.__cause__ = LockNotAvailable()
    finding = crash(error, "No order could be placed")
    assert finding.verdict == Verdict.LOOK
    assert "somebody else had the row" in finding.words


def test_other_databases_are_read_and_not_written(django_db_blocker, monkeypatch):
    """A replica would not know the doctor's rows; another database would keep them."""
    options = {**connections.settings["default"], "ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}
    monkeypatch.setitem(connections.settings, "replica", {**options, "OPTIONS": {}})
    monkeypatch.setattr(router, "routers", [Replica()])
    other = connections["replica"]
    try:
        # Not the fixture: that knows of one database only.
        with django_db_blocker.unblock(), other.cursor() as cursor:
            cursor.execute("CREATE TABLE jobs (name text)")
            assert Advocate.objects.all().db == "replica"
            with default_only():
                assert Advocate.objects.all().db == "default"
                cursor.execute("SELECT * FROM jobs")
                with pytest.raises(WriteRefused):
                    cursor.execute("INSERT INTO jobs VALUES ('a parcel')")
            assert Advocate.objects.all().db == "replica"
            cursor.execute("SELECT * FROM jobs")
            assert cursor.fetchall() == []
    finally:
        other.close()
        del connections["replica"]


class Replica:
    def db_for_read(self, model: Any, **hints: Any) -> str:
        return "replica"

    def db_for_write(self, model: Any, **hints: Any) -> str:
        return "default"
