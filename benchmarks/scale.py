"""What a big shop pays: ``python -m benchmarks.scale``, with the rows of ``benchmarks.fill`` on PostgreSQL.

Prints each page of the admin with its queries and its slowest of twenty but one, beside the plain query that a page
without indexes, limits and daily figures of its own would ask; then a file of all referrals, a visit and an order
against those of an empty shop, turn by turn, and the sweep. Ratios within one run; milliseconds say more about the
machine. Goals: 300 ms and 30 queries a page; a file's first byte in 1 s and 200 MB; 10,000 due referrals in 60 s; a
visit and an order as on an empty database.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from functools import partial
from statistics import median
from typing import Any, Final

PAGE_GOAL: Final = 300.0
QUERY_GOAL: Final = 30
REPEATS: Final = 20
PLAIN_REPEATS: Final = 3
ROUNDS: Final = 5
TIMES: Final = 40


@dataclass(frozen=True)
class Page:
    """``plain``: the statement that the page comes down to, over all rows."""

    name: str
    url: str
    plain: str = ""


def pages(today: date) -> list[Page]:
    from django.urls import reverse
    from django.utils.http import urlencode

    from wagtail_referrals.credit.models import Account
    from wagtail_referrals.people.models import Advocate, Code
    from wagtail_referrals.programs.models import Terms
    from wagtail_referrals.referrals.models import Referral

    def listing(table: str, order: str = "created_at DESC, id DESC", where: str = "true") -> str:
        rows = f"FROM {table} t WHERE {where}"
        return f"SELECT count(*) {rows}; SELECT * {rows} ORDER BY {order} LIMIT 25"

    def of(name: str, **query: Any) -> str:
        url = reverse(f"wagtail_referrals_{name}")
        return f"{url}?{urlencode(query, doseq=True)}" if query else url

    referral, advocate = "wagtail_referrals_referral", "wagtail_referrals_advocate"
    reward, account = "wagtail_referrals_reward", "wagtail_referrals_credit_account"
    terms = Terms.objects.earliest("pk")
    # The one with the most friends, and one of many.
    busy = Advocate.objects.order_by("pk").first()
    assert busy is not None
    code = Code.objects.filter(is_active=True).order_by("-pk")[:1].get().text
    one = Referral.objects.filter(state="rewarded").order_by("-pk")[:1].get()
    held = Account.objects.order_by("-pk")[:1].get()
    # Of one that the engine wrote: in the copies, hashes are not those of the addresses.
    told = Referral.objects.filter(state="rewarded").select_related("friend").earliest("pk")
    friend = told.friend.email if told.friend else ""
    since = today - timedelta(days=30)
    theirs = f"advocate_id IN (SELECT advocate_id FROM wagtail_referrals_code WHERE text = '{code}')"
    found = [
        Page("To check", of("review:index"), listing(referral, where="state = 'to_check'")),
        Page("Programs", of("programs:list")),
        Page("Referrals", of("referrals:index"), listing(referral)),
        Page("… the last page", of("referrals:index", p=400), listing(referral)),
        *(
            Page(
                f"… that are {state}",
                of("referrals:index", state=state),
                listing(referral, where=f"state = '{state}'"),
            )
            for state in ("expired", "rewarded", "to_check", "waiting_payment")
        ),
        Page(
            "… of a program",
            of("referrals:index", program=str(terms.program_key)),
            listing(referral, where=f"program_key = '{terms.program_key}'"),
        ),
        Page(
            "… for a reason that is rare",
            of("referrals:index", reason="reviewer"),
            listing(referral, where="reason = 'reviewer'"),
        ),
        Page(
            "… for a reason that nothing has",
            of("referrals:index", reason="budget"),
            listing(referral, where="reason = 'budget'"),
        ),
        Page("… by a code", of("referrals:index", q=code), listing(referral, where=theirs)),
        Page("… of a referrer", of("referrals:index", advocate=code), listing(referral, where=theirs)),
        Page("… by a friend's address", of("referrals:index", q=friend)),
        Page("… by a name that many have", of("referrals:index", q="Camille")),
        Page("… by a name that nobody has", of("referrals:index", q="Zebedee")),
        Page("… of 30 days", of("referrals:index", created_at_from=since, created_at_to=today)),
        Page("… by typed code", of("referrals:index", source="code")),
        Page("… by way of sharing", of("referrals:index", channel="sms")),
        Page("… oldest first", of("referrals:index", ordering="created_at")),
        Page("A referral's page", reverse("wagtail_referrals_referrals:inspect", args=[one.pk])),
        Page("Referrers", of("advocates:index"), listing(advocate)),
        Page("… with friends", of("advocates:index", brought="friends")),
        Page("… with nobody", of("advocates:index", brought="nobody")),
        Page(
            "… blocked", of("advocates:index", state="blocked"), listing(advocate, where="state = 'blocked'")
        ),
        Page("… by a name", of("advocates:index", q="Camille")),
        Page("A referrer's page", reverse("wagtail_referrals_advocates:inspect", args=[one.advocate_id])),
        Page("… with the most friends", reverse("wagtail_referrals_advocates:inspect", args=[busy.pk])),
        Page("Rewards", of("rewards:index"), listing(reward)),
        Page("… failed", of("rewards:index", state="failed"), listing(reward, where="state = 'failed'")),
        Page(
            "… taken back",
            of("rewards:index", state="taken_back"),
            listing(reward, where="state = 'taken_back'"),
        ),
        Page("… given", of("rewards:index", state="given"), listing(reward, where="state = 'given'")),
        Page("… by a code", of("rewards:index", q=code)),
        Page("Credit", of("accounts:index"), listing(account, "balance DESC, id DESC")),
        Page(
            "… by balance",
            of("accounts:index", ordering="-balance"),
            listing(account, "balance DESC, id DESC"),
        ),
        Page("… to recover", of("accounts:index", shortfall="true"), listing(account, "id", "shortfall > 0")),
        Page("… expiring", of("accounts:index", expiring="30")),
        Page("An account's page", reverse("wagtail_referrals_accounts:inspect", args=[held.pk])),
        Page("Movements", of("entries:index"), listing("wagtail_referrals_credit_entry")),
        Page("… of an account", of("entries:index", account=held.pk)),
        Page("Requests", of("requests:index")),
        Page("Kept invitations", of("leads:index")),
        Page("Terms", of("terms:index")),
        Page("Visits", of("visits:index"), listing("wagtail_referrals_visit")),
        Page("Invitations", of("claims:index"), listing("wagtail_referrals_claim")),
        Page("Shares", of("shares:index"), listing("wagtail_referrals_share")),
        Page("Orders", of("orders:index"), listing("wagtail_referrals_purchase", "placed_at DESC, id DESC")),
        Page("Admin's first page", reverse("wagtailadmin_home")),
    ]
    return [*found, *reports()]


def reports() -> Iterator[Page]:
    """The pages under "Reports", as the menu lists them; those of a period also for others than their first."""
    from django.contrib.auth import get_user_model
    from django.urls import reverse

    from wagtail_referrals.admin.cohorts import URL as COHORTS
    from wagtail_referrals.admin.programs import SUMMARY_URL
    from wagtail_referrals.admin.reports import reports_for
    from wagtail_referrals.admin.top_referrers import URL as TOP

    summary = reverse(SUMMARY_URL)
    for period in ("last_30", "last_90", "year", "last_year"):
        yield Page(f"Summary, {period}", f"{summary}?period={period}", "figures")
    for report in reports_for(get_user_model().objects.get(username="staff")):
        if report.name != SUMMARY_URL:
            yield Page(f"Report: {report.label}", reverse(report.name))
        if report.name in (COHORTS, TOP):
            yield Page("… last_90", f"{reverse(report.name)}?period=last_90")
            yield Page("… last_year", f"{reverse(report.name)}?period=last_year")


def milliseconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return (time.perf_counter() - started) * 1000


def plain_figures(first: date, last: date) -> None:
    """What the summary comes down to, from the rows."""
    from wagtail_referrals.insights.daily import count_days
    from wagtail_referrals.insights.periods import Period

    count_days([Period(first, last)])


def ask(statements: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        for statement in statements.split(";"):
            cursor.execute(statement)
            cursor.fetchall()


def measure_pages(client: Any, only: str = "", repeats: int = REPEATS) -> list[str]:
    """Print a line a page; the names of those that miss the goal."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    from wagtail_referrals.insights.periods import named_period, today

    missed = []
    # Wall time; of it this process's own, on average, and the database's in one request.
    headings = ("p95 ms", "median", "python", "database", "queries", "plain ms", "ratio")
    print(f"\n  {'page':<38}" + "".join(f"{heading:>9}" for heading in headings))
    for page in pages(today()):
        if only and only not in page.name:
            continue

        def get(page: Page = page) -> None:
            response = client.get(page.url)
            assert response.status_code == 200, (page.name, page.url, response.status_code)

        get()
        with CaptureQueriesContext(connection) as queries:
            get()
            asked = list(queries.captured_queries)
        inside = sum(float(query["time"]) for query in asked) * 1000
        busy = time.process_time()
        found = sorted(milliseconds(get) for _repeat in range(repeats))
        busy = (time.process_time() - busy) * 1000 / repeats
        p95 = found[max(0, round(len(found) * 0.95) - 1)]
        plain = None
        if page.plain == "figures":
            period = named_period(page.url.rpartition("=")[2])
            plain = partial(plain_figures, period.first, min(period.last, today()))
        elif page.plain:
            plain = partial(ask, page.plain)
        beside = median(milliseconds(plain) for _repeat in range(PLAIN_REPEATS)) if plain else None
        figures = [p95, median(found), busy, inside]
        wrong = p95 > PAGE_GOAL or len(asked) > QUERY_GOAL
        words = f"{beside:9.1f}{p95 / beside:9.2f}" if beside else " " * 18
        shown = "".join(f"{figure:9.1f}" for figure in figures)
        print(f"  {page.name:<38}{shown}{len(asked):9}{words}{'  !' if wrong else ''}", flush=True)
        if wrong:
            missed.append(page.name)
            if os.environ.get("SHOW_PLANS"):
                for query in sorted(asked, key=lambda q: -float(q["time"]))[:3]:
                    explain(query["sql"])
    return missed


def explain(statement: str) -> None:
    from django.db import connection

    with connection.cursor() as cursor:
        print(statement[:3000])
        cursor.execute("EXPLAIN (ANALYZE, BUFFERS) " + statement)
        for (line,) in cursor.fetchall():
            print("      " + line[:220])


def peak() -> float:
    """The most memory that this process ever had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_exports(client: Any) -> None:
    from django.urls import reverse

    print(f"\n  {'file of all':<20} {'first byte':>11} {'all of it':>10} {'size':>9} {'memory':>16}")
    for name, format in (("referrals", "csv"), ("referrals", "xlsx"), ("visits", "csv")):
        url = f"{reverse(f'wagtail_referrals_{name}:index')}?export={format}"
        before = peak()
        started = time.perf_counter()
        response = client.get(url)
        assert response.status_code == 200, response.status_code
        first, size = None, 0
        for part in response.streaming_content:
            if first is None and part:
                first = time.perf_counter() - started
            size += len(part)
        whole = time.perf_counter() - started
        print(
            f"  {name + ', ' + format:<20} {(first or 0):9.2f} s {whole:8.1f} s {size / 1e6:6.0f} MB"
            f" {peak():6.0f} MB (+{peak() - before:.0f})",
            flush=True,
        )


def measure_shop(full: str, empty: str) -> None:
    """A visit and an order, in the full shop and in an empty one, turn by turn."""
    from django.core.cache import cache
    from django.test import Client
    from oscar.test.factories import create_product

    from benchmarks import friends
    from benchmarks.worker import BROWSER, place, stranger, timed
    from tests.databases import use
    from wagtail_referrals.people.models import Code

    found: dict[tuple[str, str], list[float]] = {}
    made: dict[str, tuple[Any, str]] = {}
    first = int(time.time()) % 1_000_000 * 10_000
    for turn in range(ROUNDS):
        for name in (full, empty) if turn % 2 else (empty, full):
            use(name)
            cache.clear()
            if name not in made:
                from decimal import Decimal

                products = [
                    create_product(title=f"Mat {n}", price=Decimal(50), num_in_stock=100_000)
                    for n in range(2)
                ]
                # There from the last time, where the database was kept.
                there = Code.objects.filter(advocate__user__username="advocate", is_active=True).first()
                made[name] = products, there.text if there else friends.publish()
            products, code = made[name]
            friends._code = code
            number = first + 1000 * turn

            def visit(n: int, code: str = code) -> None:
                response = Client(**BROWSER).get(f"/r/{code}/?to=/en/catalogue/")
                assert response.status_code == 302

            found.setdefault((name, "a visit"), []).append(timed(visit, TIMES))
            found.setdefault((name, "an order, nobody's friend"), []).append(
                timed(place, TIMES, lambda n, p=products, b=number: stranger(p, b + n))
            )
            found.setdefault((name, "an order, a friend's"), []).append(
                timed(place, TIMES, lambda n, p=products, b=number: friends.basket(p, b + n))
            )
    use(full)
    cache.clear()
    print(f"\n  {'':<28} {'full ms':>9} {'empty ms':>9} {'ratio':>6}   spread of the empty one's rounds")
    for what in ("a visit", "an order, nobody's friend", "an order, a friend's"):
        here, there = found[full, what], found[empty, what]
        spread = (max(there) - min(there)) / median(there)
        print(
            f"  {what:<28} {median(here) * 1000:9.2f} {median(there) * 1000:9.2f} "
            f"{median(here) / median(there):6.2f}   {spread:.0%}",
            flush=True,
        )


def measure_sweep() -> None:
    """All that is due when the waiting periods of ``fill`` are over."""
    from django.utils import timezone

    from benchmarks.fill import DUE_IN
    from wagtail_referrals.insights import fold_visits, refresh_days
    from wagtail_referrals.referrals.models import Referral
    from wagtail_referrals.rewards import sweep

    last = Referral.objects.filter(state="waiting_period", hold_until__isnull=False).order_by("hold_until")
    first = last.filter(hold_until__lte=timezone.now() + DUE_IN).last()
    assert first is not None, "nothing becomes due: fill again"
    now = max(first.hold_until or timezone.now(), timezone.now()) + timedelta(minutes=1)
    due = Referral.objects.filter(next_check_at__lte=now).count()
    # The sweeps of two years have done this day by day; the shop was filled in minutes.
    started = time.perf_counter()
    days = refresh_days(now)
    folded = fold_visits(now, most=None)
    seconds = time.perf_counter() - started
    print(f"\n  caught up: {days} days counted, {folded} old visits removed, in {seconds:.1f} s", flush=True)
    started = time.perf_counter()
    run = sweep(now=now)
    seconds = time.perf_counter() - started
    print(
        f"  sweep of {due} due referrals: {seconds:.1f} s, {seconds * 1000 / max(run.settled, 1):.1f} ms each, "
        f"{run.settled} settled, {run.failed} failed",
        flush=True,
    )


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.scale", description=__doc__)
    parser.add_argument("--advocates", type=int, default=100_000, help="as in benchmarks.fill")
    parser.add_argument("--database", default="scale", help="filled first where it is not there")
    parser.add_argument("--keep", action="store_true", help="the database, for the next time")
    parser.add_argument("--page", default="", help="only pages with this in their name, and nothing else")
    parser.add_argument("--repeats", type=int, default=REPEATS, help="of each page")
    parser.add_argument("--parts", nargs="*", default=["exports", "pages", "shop", "sweep"])
    options = parser.parse_args()
    os.environ["TEST_DATABASE"] = "postgres"
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.settings")
    import django

    django.setup()
    from django.contrib.auth import get_user_model
    from django.core.management.base import OutputWrapper
    from django.test import Client

    from benchmarks.fill import fill, sizes
    from tests.databases import backend, template, use
    from wagtail_referrals.management.progress import Progress

    store = backend()
    source = template(lambda text: print(text, file=sys.stderr))
    if not store.exists(options.database):
        progress = Progress(OutputWrapper(sys.stderr))
        started = time.monotonic()
        store.copy(source, options.database)
        use(options.database)
        rows = fill(options.advocates, show=progress.show)
        progress.clear()
        print(f"  filled with {rows} rows in {time.monotonic() - started:.0f} s (goal: 900 s)")
    use(options.database)
    print("\nA big shop, on postgres: " + ", ".join(f"{number} {name}s" for name, number in sizes().items()))
    client = Client()
    client.force_login(get_user_model().objects.get(username="staff"))
    try:
        if options.page:
            measure_pages(client, options.page, options.repeats)
            return
        missed: list[str] = []
        if "exports" in options.parts:
            measure_exports(client)
        if "pages" in options.parts:
            missed = measure_pages(client, repeats=options.repeats)
        if "shop" in options.parts:
            empty = f"{options.database}_empty"
            store.copy(source, empty)
            try:
                measure_shop(options.database, empty)
            finally:
                use(options.database)
                store.drop(empty)
        if "sweep" in options.parts:
            measure_sweep()
        if missed:
            print(f"\n  Over {PAGE_GOAL:.0f} ms or {QUERY_GOAL} queries: {', '.join(missed)}")
    finally:
        if not options.keep:
            from django.db import connections

            connections.close_all()
            store.drop(options.database)


if __name__ == "__main__":
    main()
