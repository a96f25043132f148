"""The test databases themselves: whatever a test commits, the next one starts from the migrated template."""

import threading

import pytest
from django.db import connection
from wagtail.models import Locale, Page

STRANGE = "de"  # a language that no migration makes a locale for


@pytest.fixture
def in_thread():
    """Run a function in a thread that keeps its database connection open until the test is over."""
    over = threading.Event()
    threads = []

    def run(function):
        done = threading.Event()
        answer = []

        def body():
            answer.append(function())
            done.set()
            over.wait(30)

        thread = threading.Thread(target=body, daemon=True)
        threads.append(thread)
        thread.start()
        assert done.wait(30)
        return answer[0]

    yield run
    over.set()
    for thread in threads:
        thread.join()


# Each round finds what the round before would have left, in whatever order they run.
@pytest.mark.parametrize("repetition", range(3))
@pytest.mark.django_db(transaction=True)
def test_committed_rows_are_gone_in_the_next_test(repetition, in_thread):
    assert not Locale.objects.filter(language_code=STRANGE).exists()
    assert Page.objects.filter(depth=1).exists(), "what the migrations wrote is lost"
    Locale.objects.create(language_code=STRANGE)
    assert in_thread(lambda: Locale.objects.filter(language_code=STRANGE).exists()), (
        "threads see another database"
    )


@pytest.mark.parametrize("repetition", range(2))
@pytest.mark.django_db
def test_rolled_back_rows_are_gone_in_the_next_test(repetition):
    assert not Locale.objects.filter(language_code=STRANGE).exists()
    Locale.objects.create(language_code=STRANGE)


@pytest.mark.django_db(transaction=True)
def test_sqlite_runs_with_the_documented_options():
    if connection.vendor != "sqlite":
        assert connection.vendor == "postgresql"
        return
    with connection.cursor() as cursor:
        assert cursor.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert cursor.execute("PRAGMA busy_timeout").fetchone() == (20_000,)
    assert connection.transaction_mode == "IMMEDIATE"


@pytest.mark.django_db(transaction=True)
def test_many_threads_write_at_once():
    start = threading.Barrier(16)
    errors = []

    def write(number):
        try:
            start.wait(30)
            Locale.objects.create(language_code=f"x-{number}")
        except Exception as exc:
            errors.append(exc)
        finally:
            connection.close()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    assert Locale.objects.filter(language_code__startswith="x-").count() == 16
