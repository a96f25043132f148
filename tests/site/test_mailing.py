"""Links for a mailing tool: who is in the file, what it says of them, and that the links work."""

from __future__ import annotations

import csv
import stat
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.core.management import CommandError, call_command
from django.utils import timezone
from wagtail.models import Page, Site

from tests.site.conftest import BROWSER, publish
from wagtail_referrals import people
from wagtail_referrals.messages.models import Message
from wagtail_referrals.programs.models import Audience, AudienceRule, Program
from wagtail_referrals.site import mailing

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailing, "BATCH", 2)


@pytest.fixture
def export(tmp_path: Path) -> Any:
    """The lines of the file that the command writes."""

    def run(**options: Any) -> list[dict[str, str]]:
        file = tmp_path / "links.csv"
        call_command(
            "referrals_backfill",
            **{"codes": "all", "links": str(file), **options},
            stdout=StringIO(),
            stderr=StringIO(),
        )
        with file.open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    return run


def test_a_line_for_each_customer_with_what_a_mailing_needs(export: Any, terms: Any, make_user: Any) -> None:
    users = [make_user(name) for name in ("lea", "zoe", "tom", "nora", "max")]
    zoe = people.advocate_for(users[1])
    zoe.language, zoe.public_name = "fr", ""
    zoe.save()
    lines = export()
    assert [line["customer"] for line in lines] == [str(user.pk) for user in users]
    assert list(lines[0]) == ["customer", "first_name", "language", "friends_read", "link"], (
        "no address unasked"
    )
    assert lines[0] | {"link": ""} == {
        "customer": str(users[0].pk),
        "first_name": "Lea",
        "language": "",
        "friends_read": "Lea",
        "link": "",
    }
    assert (lines[1]["language"], lines[1]["friends_read"]) == ("fr", "Un proche")
    assert export(with_email=True)[0]["email"] == "lea@example.com"
    assert not Message.objects.exists(), "nobody is mailed"


def test_the_link_is_that_of_the_account_page(export: Any, terms: Any, make_user: Any, client: Any) -> None:
    lea = make_user("lea")
    link = export()[0]["link"]
    advocate = people.advocate_for(lea)
    advocate.name_confirmed_at = timezone.now()
    advocate.save()
    code = people.code_of(advocate)
    assert link == f"{Site.objects.get().root_url}/r/{code}/"
    client.force_login(lea)
    page = client.get("/en/account/refer-a-friend/", headers={"host": "localhost"}).content.decode()
    assert f"http://localhost/r/{code}/" in page
    assert client.get(f"/r/{code}/", headers={"user-agent": BROWSER}, follow=True).status_code == 200


def test_the_links_of_another_site(export: Any, terms: Any, make_user: Any) -> None:
    make_user("lea")
    Site.objects.create(hostname="shop.fr", port=443, root_page=Page.objects.get(depth=1))
    assert export(site="SHOP.fr")[0]["link"].startswith("https://shop.fr/r/")
    with pytest.raises(CommandError, match=r"shop\.fr"):
        export(site="shop.de")


def test_only_who_may_offer_a_program_that_is_open(export: Any, make_user: Any) -> None:
    lea, zoe = make_user("lea"), make_user("zoe")
    group = Group.objects.create(name="Club")
    lea.groups.add(group)
    audience = Audience(name="Club", live=True)
    audience.rules = [AudienceRule(fact="group", options={"group": str(group.pk), "title": "Club"})]
    audience.save()
    publish(audience=audience)
    assert [line["customer"] for line in export()] == [str(lea.pk)]
    assert {line["customer"] for line in export(everybody=True)} == {str(lea.pk), str(zoe.pk)}
    publish()
    assert len(export()) == 2, "one program for everybody is enough"


def test_without_an_open_program_there_is_no_file(export: Any, tmp_path: Path, make_user: Any) -> None:
    make_user("lea")
    with pytest.raises(CommandError, match="No program is open"):
        export()
    assert list(tmp_path.iterdir()) == []
    assert len(export(everybody=True)) == 1
    assert not Program.objects.exists()


def test_who_was_stopped_or_closed_their_account_is_not_in_it(
    export: Any, terms: Any, make_user: Any
) -> None:
    users = {name: make_user(name) for name in ("lea", "paused", "blocked", "closed")}
    for name in ("paused", "blocked"):
        advocate = people.advocate_for(users[name])
        advocate.state = name
        advocate.save()
    people.advocate_for(users["closed"])
    get_user_model().objects.filter(pk=users["closed"].pk).update(is_active=False)
    assert [line["customer"] for line in export(everybody=True)] == [str(users["lea"].pk)]


def test_codes_are_made_only_where_that_is_asked_for(export: Any, terms: Any, make_user: Any) -> None:
    make_user("lea")
    assert export(codes=None) == []
    assert export(codes="customers") == [], "she has not ordered"
    assert len(export(codes="all")) == 1
    assert len(export(codes=None)) == 1


@pytest.mark.parametrize("name", ["=HYPERLINK(1)", "+1", "-1", "@x", "\t=1", "\r=1"])
def test_no_spreadsheet_runs_a_name(name: str, export: Any, terms: Any, make_user: Any) -> None:
    lea = make_user("lea")
    get_user_model().objects.filter(pk=lea.pk).update(first_name=name)
    line = export()[0]
    assert not line["first_name"].startswith(("=", "+", "-", "@", "\t", "\r"))
    assert not line["friends_read"].startswith(("=", "+", "-", "@", "\t", "\r"))


def test_a_name_in_any_letters_on_one_line(export: Any, terms: Any, make_user: Any) -> None:
    lea = make_user("lea")
    get_user_model().objects.filter(pk=lea.pk).update(first_name="Zoë,\n“李”")
    assert export()[0]["first_name"] == "Zoë, “李”"


def test_the_file_is_for_nobody_else_and_whole_or_not_there(
    export: Any, terms: Any, make_user: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_user("lea")
    export()
    file = tmp_path / "links.csv"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    before = file.read_bytes()

    def broken(*args: Any, **kwargs: Any) -> Any:
        raise RuntimeError("the disk is full, say")

    monkeypatch.setattr(mailing.people, "codes_in_use", broken)
    with pytest.raises(RuntimeError):
        export()
    assert list(tmp_path.iterdir()) == [file] and file.read_bytes() == before
    with pytest.raises(CommandError, match="cannot be written"):
        export(links=str(tmp_path / "nowhere" / "links.csv"))


def test_to_the_standard_output_come_the_lines_alone(terms: Any, make_user: Any) -> None:
    make_user("lea")
    out, err = StringIO(), StringIO()
    call_command("referrals_backfill", codes="all", links="-", stdout=out, stderr=err)
    assert [line.split(",")[1] for line in out.getvalue().splitlines()] == ["first_name", "Lea"]
    assert "1 link written to the standard output." in err.getvalue()


def test_it_costs_the_same_for_each_batch(
    terms: Any, make_user: Any, django_assert_max_num_queries: Any
) -> None:
    for number in range(6):
        make_user(f"u{number}")
    accounts = get_user_model().objects.all()
    people.make_codes(accounts)
    # For each 2 accounts: who comes next, who of them is asked for, their codes.
    with django_assert_max_num_queries(3 * 3 + 1):
        assert mailing.write_links(StringIO(), accounts, root="https://shop.example") == 6
