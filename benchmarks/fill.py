"""A big shop in PostgreSQL: ``python -m benchmarks.fill``, see ``--help``.

The engine itself writes a few stories: referrers with few friends, with many, and with friends who are still waiting;
friends who only registered, who ordered, whose order was cancelled, whom a check held. The database then copies them,
each copy with keys of its own and at another time over two years. So the rows are those of the engine, and the audit
agrees with them. Standings and daily figures are made last, from the copies.

Of 100,000 referrers: 3,000,000 visits, 1,000,000 referrals, 300,000 orders, and 10,000 referrals of which the waiting
period ends ``DUE_IN`` after the filling.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

ADVOCATES: Final = 100_000
# How often one referrer has so many friends, of 100; the one with the most has them alone.
SHARES: Final = {"few": 66, "many": 23, "most": 6, "recent": 3, "due": 2}
ALONE: Final = 0.22
OVER: Final = timedelta(days=640)
# Copies of what still waits are that much older, at most: nothing of them becomes due.
RECENT: Final = timedelta(hours=6)
DUE_IN: Final = timedelta(hours=8)
HOLD_DAYS: Final = 14
# Keys of a copy are its number and three digits, so they can be told from anything else, also inside a text.
FIRST: Final = 1_000_000
ROWS: Final = 1000
SLICES: Final = 40
CHANNELS: Final = ("copy", "whatsapp", "email", "qr", "", "sms")


@dataclass
class Story:
    """What the engine wrote about one referrer, under keys that begin with ``number``."""

    name: str
    number: int
    copies: int
    span: timedelta
    rows: dict[str, int] = field(default_factory=dict)


def copied_models() -> list[Any]:
    from django.apps import apps
    from django.contrib.auth import get_user_model

    names = (
        "wagtail_referrals.Advocate wagtail_referrals.Code wagtail_referrals.CustomerEmail wagtail_referrals.Share "
        "wagtail_referrals.Visit wagtail_referrals.Claim wagtail_referrals.ClaimBasket wagtail_referrals.Referral "
        "wagtail_referrals.Purchase wagtail_referrals.DiscountGrant wagtail_referrals.Decision "
        "wagtail_referrals.Reward wagtail_referrals.TimelineEvent wagtail_referrals.Message "
        "wagtail_referrals_credit.Account wagtail_referrals_credit.Lot wagtail_referrals_credit.Reservation "
        "wagtail_referrals_credit.Entry order.Order order.Line order.OrderStatusChange order.OrderDiscount "
        "payment.Source payment.Transaction"
    )
    return [get_user_model(), *(apps.get_model(name) for name in names.split())]


# Telling stories


class Teller:
    """Has the engine write the stories, at the times at which they happen."""

    def __init__(self, advocates: int, now: datetime) -> None:
        from django.contrib.auth import get_user_model
        from oscar.test.factories import create_product

        from wagtail_referrals.programs import publish_terms
        from wagtail_referrals.programs.models import Program, ProgramRule, Terms

        self.advocates, self.now = advocates, now
        with self.at(now - timedelta(days=90)):
            program = Program(
                name="Give 10 %, get 15 €",
                live=True,
                hold_days=HOLD_DAYS,
                hold_anchor="paid",
                clawback_days=30,
                window_days=30,
                cap_count=500,
                cap_period="ever",
            )
            program.rules = [
                ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=Decimal(10)),
                ProgramRule(
                    side="advocate", trigger="first_purchase", kind="credit", amounts={"EUR": "15.00"}
                ),
            ]
            program.save()
            publish_terms(program)
            self.terms = Terms.objects.get()
            self.products = [
                create_product(title=f"Mat {price}", price=Decimal(price), num_in_stock=100_000_000)
                for price in (24, 50, 89)
            ]
            self.staff = get_user_model().objects.create_superuser("staff", "staff@example.com", "x")
        self.count = self.visits = 0

    @contextmanager
    def at(self, moment: datetime) -> Iterator[None]:
        import time_machine

        with time_machine.travel(moment, tick=False):
            yield

    def begin(self, number: int) -> None:
        """From here on all keys begin with this number."""
        from django.db import connection

        for model in copied_models():
            past = model._default_manager.filter(pk__gte=number * ROWS)
            assert not past.exists(), f"a story has more than {ROWS} rows of {model.__name__}"
        with connection.cursor() as cursor:
            for model in copied_models():
                cursor.execute(
                    "SELECT setval(pg_get_serial_sequence(%s, %s), %s)",
                    [f'"{model._meta.db_table}"', model._meta.pk.column, number * ROWS + 1],
                )
        self.number, self.count = number, 0

    def user(self, name: str) -> Any:
        from django.contrib.auth import get_user_model

        self.count += 1
        return get_user_model().objects.create_user(
            f"{name}{self.count}-{self.number}",
            f"{name}.{self.count}@mail{self.number}.example",
            "x",
            first_name=("Camille", "Noor", "Jona", "Alex", "Mika")[self.count % 5],
            last_name=f"{name.title()} {self.count}",
        )

    def advocate(self, moment: datetime) -> Any:
        from wagtail_referrals.people import advocate_for

        with self.at(moment):
            made = advocate_for(self.user("referrer"))
            made.name_confirmed_at, made.in_leaderboards = moment, True
            made.save()
        return made

    def visit(self, advocate: Any, moment: datetime) -> Any:
        from wagtail_referrals.tracking.models import Share, Visit

        self.visits += 1
        # Every fifth of those who arrive does so on a page of the shop's own.
        values = {
            "advocate": advocate,
            "terms": self.terms,
            "channel": CHANNELS[self.visits % len(CHANNELS)],
            "language": "fr" if self.visits % 3 == 0 else "en",
            "created_at": moment,
        }
        if self.visits % 4 == 0 and values["channel"]:
            Share.objects.create(**values)
        return Visit.objects.create(page_id=2 if self.visits % 5 else None, **values)

    def friend(self, advocate: Any, fate: str, moment: datetime) -> None:
        """One friend and two more visitors of whom nobody hears again; ``moment`` is when they came."""
        from wagtail_referrals import rewards
        from wagtail_referrals.people import code_of
        from wagtail_referrals.referrals import register_friend
        from wagtail_referrals.referrals.models import Referral

        visit = self.visit(advocate, moment)
        self.visit(advocate, moment + timedelta(hours=5))
        self.visit(advocate, moment + timedelta(days=1))
        ordered = moment + timedelta(hours=2)
        with self.at(moment + timedelta(hours=1)):
            friend = self.user("friend")
            way = {"code": code_of(advocate)} if self.count % 9 == 0 else {"visit": visit}
            claim = rewards.commit(user=friend, language="en", **way)
            register_friend(friend, claim=claim)
        if fate == "registers":
            return
        reference = f"{self.number}-{self.count}"
        order = self.order(friend, reference, ordered)
        referral = Referral.objects.get(claim=claim)
        if fate == "orders":
            self.settle(referral, ordered)
            return
        if fate in ("held", "refused"):
            self.hold(referral, ordered)
        paid = ordered + timedelta(hours=1)
        with self.at(paid):
            order.set_status("Paid")
        self.settle(referral, paid)
        if fate == "cancels":
            with self.at(paid + timedelta(days=HOLD_DAYS + 3)):
                self.settle(referral, paid + timedelta(days=HOLD_DAYS + 1))
                order.set_status("Cancelled")
                self.settle(referral, paid + timedelta(days=HOLD_DAYS + 3))
        if fate == "refused":
            from wagtail_referrals.trust import review

            with self.at(paid + timedelta(days=2)):
                review(referral.pk, "refuse", actor=self.staff, note="The same household.")
        if fate in ("rewarded", "again"):
            with self.at(paid + timedelta(days=3)):
                order.set_status("Shipped")
            self.settle(referral, paid + timedelta(days=HOLD_DAYS, hours=1))
        if fate == "again":
            later = paid + timedelta(days=HOLD_DAYS + 5)
            order = self.order(friend, f"{reference}b", later)
            with self.at(later + timedelta(hours=1)):
                order.set_status("Paid")
            self.settle(referral, later + timedelta(hours=2))

    def order(self, user: Any, reference: str, moment: datetime) -> Any:
        from oscar.core.loading import get_model

        from benchmarks.worker import filled_basket, place
        from wagtail_referrals import rewards

        with self.at(moment):
            basket = filled_basket([self.products[self.count % 3]], user)
            rewards.commit(basket_reference=str(basket.pk), user=user)
            place((basket, user, reference))
            return get_model("order", "Order").objects.get(number=reference)

    def hold(self, referral: Any, moment: datetime) -> None:
        from wagtail_referrals.trust.models import Decision

        said = {"outcome": "hold", "reason": "same_address", "created_at": moment}
        Decision.objects.update_or_create(
            referral=referral, purchase=referral.purchases.get(), check_key="same_address", defaults=said
        )

    def end(self) -> None:
        """What has begun since ``begin`` comes to its end, as sweeps would have it."""
        from wagtail_referrals import rewards
        from wagtail_referrals.referrals.models import Referral

        for days in (45, 0):
            moment = self.now - timedelta(days=days)
            with self.at(moment):
                rewards.lapse_claims(now=moment)
            for referral in Referral.objects.filter(pk__gte=self.number * ROWS):
                self.settle(referral, moment)

    def settle(self, referral: Any, moment: datetime) -> None:
        from wagtail_referrals import rewards

        with self.at(moment):
            rewards.settle(referral.pk)


def tell(advocates: int, now: datetime, over: timedelta = OVER) -> list[Story]:
    """Have the engine write all stories, and say how often each is to be copied."""
    from wagtail_referrals.referrals.models import Referral

    teller = Teller(advocates, now)
    copies = {name: round(advocates * share / 100) for name, share in SHARES.items()}
    long_ago = now - timedelta(days=80)
    # Before their own keys begin: all copies belong to this one referrer.
    teller.begin(FIRST - 1)
    alone = teller.advocate(now - timedelta(days=85))
    stories: list[Story] = []
    number = FIRST

    def begin(name: str, times: int, span: timedelta) -> None:
        nonlocal number
        teller.begin(number)
        stories.append(Story(name, number, max(times - 1, 0), span))
        number += times + 1

    begin("alone", round(advocates * ALONE), over)
    teller.friend(alone, "registers", long_ago)
    teller.end()
    begin("few", copies["few"], over)
    few = teller.advocate(long_ago)
    for fate in ("registers", "rewarded"):
        teller.friend(few, fate, long_ago)
    teller.end()
    begin("many", copies["many"], over)
    many = teller.advocate(long_ago)
    fates = ["registers"] * 14 + ["rewarded", "again", "refused", "cancels"]
    for place, fate in enumerate(fates):
        teller.friend(many, fate, long_ago + timedelta(hours=3 * place))
    teller.end()
    begin("most", copies["most"], over)
    most = teller.advocate(long_ago)
    fates = (["registers"] * 5 + ["rewarded"] + ["registers"]) * 7
    fates += ["again", "registers", "rewarded", "registers"] * 1 + ["rewarded"] * 4
    fates += ["refused", "registers", "cancels"] + ["registers"] * 5
    for place, fate in enumerate(fates):
        teller.friend(most, fate, long_ago + timedelta(hours=3 * place))
    teller.end()
    left = Referral.objects.filter(next_check_at__isnull=False).count()
    assert not left, f"{left} old referrals are still being watched"
    begin("recent", copies["recent"], RECENT)
    recent = teller.advocate(now - timedelta(days=10))
    for fate in ["registers"] * 5 + ["orders", "paid", "paid", "paid", "held"]:
        moment = now - timedelta(days=7)
        teller.friend(recent, fate, moment)
    for referral in Referral.objects.filter(advocate=recent):
        # As a sweep of an hour ago has left them.
        teller.settle(referral, now)
    begin("due", copies["due"], RECENT / 3)
    waiting = now - timedelta(days=HOLD_DAYS, hours=3) + DUE_IN
    due = teller.advocate(now - timedelta(days=20))
    for _number in range(5):
        teller.friend(due, "paid", waiting)
    for referral in Referral.objects.filter(advocate=due):
        teller.settle(referral, now)
    teller.begin(number)
    return stories


# Copying them


def expression(field: Any, model: Any, story: Story, copied: set[str]) -> str:
    """The value of a copy's column: ``g`` is the number of the copy, ``t`` the row that the engine wrote."""
    from django.db import connection, models

    column = f"t.{connection.ops.quote_name(field.column)}"
    moved = f"{column} + g * {ROWS}"
    low, high = story.number * ROWS, (story.number + 1) * ROWS
    if field.primary_key and not field.remote_field:
        return moved
    if field.remote_field is not None:
        if field.related_model._meta.db_table not in copied:
            return column
        return f"CASE WHEN {column} >= {low} AND {column} < {high} THEN {moved} ELSE {column} END"
    mine = f"({story.number} + g)::text"
    told = f"replace({{}}, '{story.number}', {mine})"
    if isinstance(field, models.DateTimeField):
        return f"{column} - shift.by"
    if field.name == "observed":
        parts = ", ".join(
            f"'{name}', to_char(({column} ->> '{name}')::timestamptz - shift.by, "
            '\'YYYY-MM-DD"T"HH24:MI:SS"+00:00"\')'
            for name in ("paid_at", "shipped_at")
        )
        return f"{told.format(f'{column}::text')}::jsonb || jsonb_build_object({parts})"
    if isinstance(field, models.JSONField):
        return f"{told.format(f'{column}::text')}::jsonb"
    if isinstance(field, models.UUIDField) and field.unique:
        return f"md5({column}::text || {mine})::uuid"
    if isinstance(field, models.CharField):
        if "hash" in field.name:
            return f"CASE WHEN {column} = '' THEN '' ELSE left({column}, 50) || {mine} END"
        if field.name == "key":
            # One that names nothing of the story is somewhere unique, too.
            return (
                f"CASE WHEN {column} LIKE '%%{story.number}%%' THEN {told.format(column)} "
                f"ELSE {column} || ':' || {mine} END"
            )
        if (model.__name__, field.name) == ("Code", "text"):
            # Eight letters, as all codes are.
            return f"left({column}, 1) || translate({mine}, '0123456789', 'ABCDEFGHJK')"
        if (model.__name__, field.name) == ("DiscountGrant", "code"):
            return f"CASE WHEN {column} = '' THEN '' ELSE left({column}, 8) || '-' || {mine} END"
        if field.name == "basket_reference":
            return f"{column} || '-' || {mine}"
        return told.format(column)
    return column


def statements(story: Story) -> Iterator[tuple[Any, str]]:
    """For each table the statement that writes copies: from the ``%s``-th to the ``%s``-th."""
    from django.db import connection

    models = copied_models()
    copied = {model._meta.db_table for model in models}
    quote = connection.ops.quote_name
    step = story.span.total_seconds() / max(story.copies, 1)
    low, high = story.number * ROWS, (story.number + 1) * ROWS
    for model in models:
        fields = list(model._meta.concrete_fields)
        key = f"t.{quote(model._meta.pk.column)}"
        columns = ", ".join(quote(field.column) for field in fields)
        values = ", ".join(expression(field, model, story, copied) for field in fields)
        # The first copy is the oldest one, as the first row of a shop is.
        yield (
            model,
            f"INSERT INTO {quote(model._meta.db_table)} ({columns}) SELECT {values} "
            f"FROM generate_series(%s::int, %s::int) g "
            f"CROSS JOIN LATERAL (SELECT date_trunc('second', ({story.copies} + 1 - g) * interval '{step} seconds') "
            f"AS by) shift CROSS JOIN {quote(model._meta.db_table)} t "
            f"WHERE {key} >= {low} AND {key} < {high} ORDER BY g, {key}",
        )


@contextmanager
def without_indexes(show: Any) -> Iterator[None]:
    """Build the indexes of the copied tables at the end, each at once: to keep them with each row takes longer.

    Those of keys and of what is unique stay.
    """
    from django.db import connection

    tables = [model._meta.db_table for model in copied_models()]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
            "WHERE indrelid = ANY(%s::regclass[]) AND NOT indisunique ORDER BY 1",
            [[connection.ops.quote_name(table) for table in tables]],
        )
        found = cursor.fetchall()
        for name, _definition in found:
            cursor.execute(f"DROP INDEX {name}")
        yield
        cursor.execute("SET maintenance_work_mem = '512MB'")
        for done, (_name, definition) in enumerate(found):
            show("Indexing", done, len(found))
            cursor.execute(definition)
        cursor.execute("RESET maintenance_work_mem")


def copy(stories: list[Story], show: Any) -> int:
    """Write all copies, in the order of their times; how many rows."""
    from django.db import connection

    written, total = 0, sum(story.copies for story in stories)
    done = 0
    prepared = {story.name: list(statements(story)) for story in stories}
    with connection.cursor() as cursor:
        # The copies refer to each other as the originals do.
        cursor.execute("SET session_replication_role = replica")
        cursor.execute("SET synchronous_commit = off")
        for part in range(SLICES):
            for story in stories:
                first = story.copies * part // SLICES + 1
                last = story.copies * (part + 1) // SLICES
                if last < first:
                    continue
                for _model, statement in prepared[story.name]:
                    cursor.execute(statement, [first, last])
                    written += cursor.rowcount
                done += last - first + 1
                show("Copying", done, total)
        cursor.execute("SET session_replication_role = origin")
    return written


# What is made from the rows

STANDINGS: Final = """
    WITH counted AS (
        SELECT r.id, r.advocate_id, r.program_key, r.qualified_at,
            to_char(r.qualified_at AT TIME ZONE %(zone)s, 'YYYY-MM') AS month,
            a.in_leaderboards AND a.state = 'active' AND a.public_name <> '' AS is_public
        FROM wagtail_referrals_referral r JOIN wagtail_referrals_advocate a ON a.id = r.advocate_id
        WHERE r.qualified_at IS NOT NULL AND r.state NOT IN ('to_check', 'refused', 'taken_back')
    ), revenue AS (
        SELECT p.referral_id,
            sum(greatest(p.eligible - coalesce((p.observed ->> 'refunded')::numeric, 0), 0))::numeric(20, 2) AS net
        FROM wagtail_referrals_purchase p
        WHERE p.observed ->> 'paid_at' IS NOT NULL AND NOT (p.observed -> 'cancelled')::boolean
        GROUP BY p.referral_id
    )
    INSERT INTO wagtail_referrals_standing
        (program_key, period, advocate_id, referrals, revenue, reached_at, is_public)
    SELECT program_key, period, advocate_id, count(*),
        CASE WHEN coalesce(sum(net), 0) = 0 THEN '{}'::jsonb ELSE jsonb_build_object('EUR', sum(net)::text) END,
        max(qualified_at), bool_and(is_public)
    FROM counted LEFT JOIN revenue ON revenue.referral_id = counted.id,
        unnest(ARRAY[month, left(month, 4), 'ever']) AS period
    GROUP BY program_key, period, advocate_id
"""
LEVELS: Final = """
    INSERT INTO wagtail_referrals_standinglevel (program_key, period, referrals, advocates)
    SELECT program_key, period, referrals, count(*) FROM wagtail_referrals_standing WHERE is_public
    GROUP BY program_key, period, referrals
"""


def derive(now: datetime, show: Any) -> None:
    """Standings, the mark of a complete backfill, and the figures of each day."""
    from django.conf import settings
    from django.db import connection

    from wagtail_referrals.insights import rebuild_days
    from wagtail_referrals.insights.models import (
        ActivePeople,
        ArrivalFigures,
        DailyFigures,
        FiguredDay,
        ShopDay,
        StaleDay,
    )
    from wagtail_referrals.people.hashing import key_id
    from wagtail_referrals.people.models import Backfill
    from wagtail_referrals.recognition.models import Standing, StandingLevel, StandingsCheck

    show("Counting friends", 0, 1)
    figures = (StaleDay, DailyFigures, ActivePeople, ArrivalFigures, ShopDay, FiguredDay)
    for model in (Standing, StandingLevel, *figures):
        model.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
        cursor.execute(STANDINGS, {"zone": settings.TIME_ZONE})
        cursor.execute(LEVELS)
    Backfill.objects.update_or_create(key_id=key_id(), defaults={"completed_at": now})
    StandingsCheck.objects.all().delete()
    StandingsCheck.objects.create(started_at=now, finished_at=now)
    rebuild_days(progress=lambda done, total: show("Counting days", done, total))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")


def sequences() -> None:
    """After the last key, so that the shop can go on."""
    from django.core.management.color import no_style
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in connection.ops.sequence_reset_sql(no_style(), copied_models()):
            cursor.execute(statement)


def fill(
    advocates: int = ADVOCATES,
    *,
    over: timedelta = OVER,
    now: datetime | None = None,
    show: Any = lambda *told: None,
) -> int:
    """Fill the database of the default connection, which is freshly migrated; how many rows were copied.

    ``over``: how far back the copies reach. ``show`` is told (what, done, total). PostgreSQL only, and its superuser:
    foreign keys are not checked meanwhile.
    """
    from django.utils import timezone

    moment = (now or timezone.now()).replace(microsecond=0)
    show("Telling the stories", 0, 1)
    stories = tell(advocates, moment, over)
    with without_indexes(show):
        written = copy(stories, show)
    sequences()
    derive(moment, show)
    return written


def sizes() -> dict[str, int]:
    """How many rows there are of what matters."""
    from wagtail_referrals.people.models import Advocate
    from wagtail_referrals.referrals.models import Purchase, Referral, TimelineEvent
    from wagtail_referrals.rewards.models import Reward
    from wagtail_referrals.tracking.models import Visit

    models = (Visit, Referral, Purchase, Advocate, Reward, TimelineEvent)
    return {model._meta.model_name or "": model._default_manager.count() for model in models}


def main() -> None:
    import os

    parser = argparse.ArgumentParser(prog="python -m benchmarks.fill", description=__doc__)
    parser.add_argument(
        "--advocates",
        type=int,
        default=ADVOCATES,
        help="referrers; the other numbers follow (default: %(default)s)",
    )
    parser.add_argument("--database", default="scale", help="made anew on the server of the tests")
    options = parser.parse_args()
    os.environ["TEST_DATABASE"] = "postgres"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    import django

    django.setup()
    from django.core.management.base import OutputWrapper

    from tests.databases import backend, template, use
    from wagtail_referrals.management.progress import Progress

    progress = Progress(OutputWrapper(sys.stderr))
    started = time.monotonic()
    backend().copy(template(lambda text: print(text, file=sys.stderr)), options.database)
    use(options.database)
    written = fill(options.advocates, show=progress.show)
    progress.clear()
    counted = ", ".join(f"{number} {name}s" for name, number in sizes().items())
    print(f"{written} rows in {time.monotonic() - started:.0f} s: {counted}")


if __name__ == "__main__":
    main()
