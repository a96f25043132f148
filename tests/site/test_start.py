"""The first day: a program as a draft and its pages, in each language and on each site, and nothing twice."""

from __future__ import annotations

import io
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import translation
from wagtail.models import Locale, ModelLogEntry, Page, Site

from tests.site.conftest import BROWSER
from wagtail_referrals import people
from wagtail_referrals.programs.models import Program
from wagtail_referrals.site.models import HubPage, LandingPage
from wagtail_referrals.site.start import start


@pytest.fixture
def home(db: None) -> Page:
    """Wagtail as it is after its first migration: one site, whose first page welcomes and is in one language."""
    Site.objects.all().delete()
    for page in Page.objects.filter(depth=2):
        page.delete()
    english = Locale.objects.get_or_create(language_code="en")[0]
    Locale.objects.exclude(pk=english.pk).delete()
    root = Page.get_first_root_node()
    welcome = root.add_child(
        instance=Page(title="Welcome to your new Wagtail site!", slug="home", locale=english)
    )
    Site.objects.create(hostname="localhost", port=80, is_default_site=True, root_page=welcome)
    return welcome


def run(**options: Any) -> str:
    out = io.StringIO()
    call_command("referrals_start", stdout=out, no_color=True, **options)
    return out.getvalue()


def pages() -> list[tuple[str, str, str, bool]]:
    found = [*HubPage.objects.select_related("locale"), *LandingPage.objects.select_related("locale")]
    return sorted((type(page).__name__, page.locale.language_code, page.slug, page.live) for page in found)


def test_it_makes_a_draft_and_pages_in_each_language(home):
    said = run(address="https://shop.example")
    program = Program.objects.get()
    assert not program.live
    assert program.latest_revision is not None
    assert {text.language for text in program.texts.all()} == {"en", "fr"}
    assert program.site is None
    assert pages() == [
        ("HubPage", "en", "refer-a-friend", False),
        ("HubPage", "fr", "parrainer-un-proche", False),
        ("LandingPage", "en", "your-invitation", False),
        ("LandingPage", "fr", "votre-invitation", False),
    ]
    assert len({page.translation_key for page in HubPage.objects.all()}) == 1
    assert not any(page.show_in_menus for page in HubPage.objects.all())
    site = Site.objects.get()
    assert site.root_url == "https://shop.example"
    assert "https://shop.example" in said
    assert "as a draft" in said
    assert f"/pages/{HubPage.objects.first().pk}/edit/" in said
    assert ModelLogEntry.objects.filter(action="wagtail.create", object_id=str(program.pk)).exists()


def test_twice_makes_nothing_more_and_touches_nothing(home):
    run()
    page = HubPage.objects.get(locale__language_code="fr")
    page.title = "Le parrainage"
    page.save_revision().publish()
    Program.objects.update(name="Ours")
    before = (pages(), list(Program.objects.values()), Page.objects.count())
    said = run()
    assert (pages(), list(Program.objects.values()), Page.objects.count()) == before
    assert "“Ours” was there" in said
    assert "“Le parrainage” was there" in said
    assert "made" not in said


def test_pages_are_published_on_demand_and_answer_in_their_language(home):
    run(publish=True)
    assert all(live for *_, live in pages())
    assert not Program.objects.get().live
    for language, slug in (("en", "refer-a-friend"), ("fr", "parrainer-un-proche")):
        response = Client(HTTP_HOST="localhost", HTTP_USER_AGENT=BROWSER).get(f"/{language}/{slug}/")
        assert response.status_code == 200
        assert f'lang="{language}"' in response.content.decode()


def test_a_trial_changes_nothing(home):
    said = run(dry_run=True, publish=True, address="https://shop.example")
    assert "would be made" in said
    assert (pages(), Program.objects.count(), Locale.objects.count()) == ([], 0, 1)
    assert Site.objects.get().hostname == "localhost"


def test_a_site_without_a_name_is_said(home):
    assert "localhost" in run()
    assert "links in mails" in run()
    assert "links in mails" not in run(address="https://shop.example")


@pytest.mark.parametrize(
    "address",
    ["shop.example", "ftp://shop.example", "https://", "https://a.example:x", "https://a.example/b"],
)
def test_what_is_no_address_is_refused(home, address):
    with pytest.raises(CommandError, match="https://shop"):
        run(address=address)
    assert Program.objects.count() == 0


def test_an_address_that_another_site_has_is_refused(home):
    Site.objects.create(hostname="other.example", port=443, root_page=home)
    with pytest.raises(CommandError):
        run(address="https://other.example")


def test_each_site_gets_its_own(home):
    other = Page.get_first_root_node().add_child(
        instance=Page(title="Boutique", slug="boutique", locale=home.locale)
    )
    Site.objects.create(hostname="boutique.example", port=443, root_page=other)
    run()
    assert {program.site.hostname for program in Program.objects.all()} == {"localhost", "boutique.example"}
    assert HubPage.objects.descendant_of(other).count() == 1
    assert HubPage.objects.count() == LandingPage.objects.count() == 4


def test_one_site_only(home):
    other = Page.get_first_root_node().add_child(
        instance=Page(title="Boutique", slug="boutique", locale=home.locale)
    )
    Site.objects.create(hostname="boutique.example", port=443, root_page=other)
    run(site="boutique.example")
    assert Program.objects.get().site.hostname == "boutique.example"
    with pytest.raises(CommandError, match="nowhere"):
        run(site="nowhere.example")


def test_a_program_for_every_site_is_enough(home):
    Program.objects.create(name="Everywhere", live=False)
    run()
    assert Program.objects.count() == 1


def test_a_program_that_has_ended_is_not(home):
    Program.objects.create(name="Last year's", live=False, expired=True)
    run()
    assert Program.objects.filter(expired=False).count() == 1


@pytest.mark.parametrize("first", ["localhost", "boutique.example"])
def test_a_site_below_another_one_has_pages_of_its_own(home, first):
    inner = home.add_child(instance=Page(title="Boutique", slug="boutique", locale=home.locale))
    Site.objects.create(hostname="boutique.example", port=443, root_page=inner)
    run(site=first)
    run(publish=True)
    for locale in ("en", "fr"):
        for model in (HubPage, LandingPage):
            assert model.objects.filter(locale__language_code=locale).count() == 2


def test_a_home_page_of_the_shop_is_not_translated_by_us(home):
    """A page that visitors see is the editors' affair: nothing is put under its French address."""
    english = home.locale
    HomePage = pytest.importorskip("example_site.pages.models").HomePage
    root = Page.get_first_root_node()
    ours = root.add_child(instance=HomePage(title="Studio", slug="studio", locale=english))
    Site.objects.update(root_page=ours)
    with pytest.raises(CommandError):
        run()
    parts = list(start(sites=Site.objects.all()))
    french = [part for part in parts if part.language == "fr"]
    assert all(part.found is None and "Studio" in part.problem for part in french)
    # What could be made, was.
    assert {(kind, language) for kind, language, *_ in pages()} == {("HubPage", "en"), ("LandingPage", "en")}


def test_one_language_where_pages_have_no_languages(home, settings):
    settings.WAGTAIL_I18N_ENABLED = False
    run()
    assert {language for _, language, *_ in pages()} == {"en"}


def test_a_stage_that_is_off_gives_another_program(home, settings):
    settings.WAGTAIL_REFERRALS_OSCAR = {"VOUCHERS": False}
    run()
    assert {rule.kind for rule in Program.objects.get().rules.all()} == {"credit"}


def test_pages_that_nothing_serves_are_said(home, settings):
    settings.ROOT_URLCONF = "tests.site.without_pages"
    assert "wagtail.urls" in run()


def test_a_page_that_allows_none_below_it_is_said(home, monkeypatch):
    monkeypatch.setattr(LandingPage, "can_create_at", lambda parent: False)
    with pytest.raises(CommandError):
        run()
    parts = list(start(sites=Site.objects.all()))
    refused = [part for part in parts if part.found is None]
    assert [part.what for part in refused] == ["landing", "landing"]
    assert all("allows no such page" in part.problem for part in refused)
    # What could be made, was.
    assert {kind for kind, *_ in pages()} == {"HubPage"}


def test_an_address_that_something_else_answers_is_said(home, settings):
    settings.ROOT_URLCONF = "tests.site.taken_addresses"
    assert "something else answers" in run()


def test_a_slug_that_is_taken_is_left_alone(home):
    home.add_child(instance=Page(title="Taken", slug="refer-a-friend", locale=home.locale))
    run()
    assert HubPage.objects.get(locale=home.locale).slug == "refer-a-friend-2"


def test_share_links_work_before_any_page_exists(home, make_user):
    code = people.code_of(people.advocate_for(make_user("camille")))
    browser = Client(HTTP_HOST="localhost", HTTP_USER_AGENT=BROWSER, HTTP_ACCEPT_LANGUAGE="fr")

    def works() -> None:
        response = browser.get(f"/r/{code}/")
        assert response.status_code == 200
        assert response.headers["Content-Language"] == "fr"

    works()
    Site.objects.all().delete()
    works()
    Site.objects.create(hostname="localhost", port=80, is_default_site=True, root_page=home)
    run()
    works()
    program = Program.objects.get()
    program.latest_revision.publish()
    works()
    for page in LandingPage.objects.all():
        page.save_revision().publish()
    works()
    LandingPage.objects.get(locale__language_code="fr").unpublish()
    works()
    LandingPage.objects.all().delete()
    works()


def test_it_speaks_the_language_of_the_console(home):
    with translation.override("fr"):
        said = run()
    assert "Programme" in said
