"""The blocks for any StreamField: what each shows to whom, in previews, and where something fails."""

from __future__ import annotations

import copy
import html
import re
from datetime import UTC, datetime
from decimal import Decimal

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.contrib.auth import get_user_model
from django.contrib.auth.models import AnonymousUser
from django.db import connection
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from wagtail import blocks
from wagtail.fields import StreamField
from wagtail.models import Site

from example_site.pages.models import ContentPage
from tests.site.conftest import BROWSER
from tests.site.test_account import refer
from wagtail_referrals import credit, people, recognition, tracking
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs import presets, publish_terms
from wagtail_referrals.recognition.models import Featured, FeaturedText, Standing
from wagtail_referrals.site import panels
from wagtail_referrals.site.blocks import REFERRAL_BLOCKS
from wagtail_referrals.tracking.models import Visit

NAMES = [name for name, _block in REFERRAL_BLOCKS]


def block_of(name):
    return blocks.StreamBlock(REFERRAL_BLOCKS).child_blocks[name]


def request_of(user=None, visit=None, path="/en/", **attributes):
    request = RequestFactory().get(path)
    request.user = user or AnonymousUser()
    if visit is not None:
        request.COOKIES["referral"] = tracking.token_for(visit)
    for name, value in attributes.items():
        setattr(request, name, value)
    return request


def source(name, user=None, visit=None, request=None, context=None, **value):
    """The block with this value as a page of the site has it, in one line."""
    block = block_of(name)
    request = request or request_of(user, visit)
    text = block.render(block.normalize(value), context={"request": request, **(context or {})})
    return " ".join(text.split())


def draw(name, user=None, visit=None, **value):
    """The same as people read it, between its tags."""
    return html.unescape(source(name, user, visit, **value))


def bring(terms, name, referrals, *, joined=True, **values):
    """A referrer for whom so many friends count."""
    user = get_user_model().objects.create_user(
        username=f"user-{name}", email=f"{len(name)}{referrals}@example.com"
    )
    advocate = people.advocate_for(user)
    advocate.public_name = name
    advocate.name_confirmed_at = timezone.now()
    advocate.save()
    for period in ("ever", "2026", "2026-11"):
        Standing.objects.create(
            program_key=terms.program_key,
            period=period,
            advocate=advocate,
            referrals=referrals,
            reached_at=timezone.now(),
            **values,
        )
    if joined:
        recognition.join_leaderboards(advocate)
    return advocate


def thank(advocate, text="Thank you!"):
    featured = Featured.objects.create(advocate=advocate, created_at=timezone.now(), agreed_at=timezone.now())
    FeaturedText.objects.create(featured=featured, language="en", text=text)
    return featured


@pytest.fixture
def milestones(db):
    program = presets.get("milestones").build()
    program.live = True
    program.save()
    return publish_terms(program)


@pytest.fixture
def visit(advocate, terms):
    return Visit.objects.create(advocate=advocate, terms=terms, created_at=timezone.now())


def test_the_names_that_sites_store():
    assert NAMES == [
        "referral_share",
        "referral_banner",
        "referral_how_it_works",
        "referral_progress",
        "referral_leaderboard",
        "referral_wall",
        "referral_balance",
        "referral_faq",
        "referral_terms",
    ]


@pytest.mark.parametrize("name", NAMES)
def test_an_editor_finds_it_with_words_and_a_preview(name):
    block = block_of(name)
    assert block.is_previewable and block.get_description() and block.meta.icon != "placeholder"
    assert block.meta.group == "Refer a friend"


@pytest.mark.parametrize("name", NAMES)
def test_without_a_program_there_is_nothing_to_see(name, db, make_user):
    assert draw(name) == ""
    text = draw(name, make_user("lea"))
    assert text == "" or (name == "referral_balance" and "You have not earned any yet." in text)


@pytest.mark.parametrize("name", NAMES)
def test_what_fails_is_left_out(name, terms, monkeypatch, caplog):
    monkeypatch.setattr(type(block_of(name)), "panel", lambda *args: 1 / 0)
    assert draw(name) == ""
    assert f"The block {name} could not be shown" in caplog.text


def test_a_template_that_fails_is_left_out(terms, monkeypatch, caplog):
    monkeypatch.setattr(
        type(block_of("referral_share")), "get_template", lambda *args, **kwargs: "no/such.html"
    )
    assert draw("referral_share") == ""
    assert "The block referral_share could not be drawn" in caplog.text


def test_what_the_database_refuses_takes_no_page_with_it(terms, monkeypatch):
    def fail(*args, **kwargs):
        # PostgreSQL refuses whatever comes after this in the same transaction.
        connection.cursor().execute("SELECT a FROM no_table")

    monkeypatch.setattr(recognition, "leaderboard", fail)
    assert draw("referral_leaderboard") == ""
    assert get_user_model().objects.count() == 0


@pytest.mark.parametrize("name", NAMES)
def test_where_there_is_no_request_there_is_nothing(name, terms):
    block = block_of(name)
    assert block.render(block.normalize({}), context={}).strip() == ""


@pytest.mark.parametrize("name", [name for name in NAMES if name != "referral_banner"])
def test_the_heading_is_the_editors_or_ours(name, terms, camille):
    bring(terms, "Noor", 3)
    thank(Advocate.objects.get())
    own = draw(name, camille, heading="Tell <everybody>")
    ours = draw(name, camille)
    assert "Tell <everybody>" in own and "<h2" in ours and "Tell" not in ours


# Cost


def queries_of(act):
    with CaptureQueriesContext(
        connection,
    ) as queries:
        act()
    return [query["sql"] for query in queries if "SAVEPOINT" not in query["sql"]]


@pytest.mark.parametrize("name", NAMES)
def test_a_stranger_costs_nothing_but_what_is_told_of_everybody(name, terms):
    draw(name)
    expected = 1 if name in ("referral_leaderboard", "referral_wall") else 0
    assert len(queries_of(lambda: draw(name))) == expected


def everything(user=None, visit=None):
    request = request_of(user, visit)
    return "".join(draw(name, request=request) for name in NAMES)


def test_a_page_with_every_block_costs_the_same_for_one_row_and_for_many(milestones, camille):
    own = people.advocate_for(camille)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    credit.grant(user=camille, currency="EUR", amount=Decimal(5), key="1")
    refer(own, milestones, ordinal=1)
    thank(bring(milestones, "Noor", 2))
    everything(camille)
    few = queries_of(lambda: everything(camille))
    for number in range(12):
        thank(bring(milestones, f"Name {number}", 3 + number))
        refer(own, milestones, ordinal=2 + number)
        credit.grant(user=camille, currency="EUR", amount=Decimal(5), key=f"more {number}")
    text = []
    many = queries_of(lambda: text.append(everything(camille)))
    assert "Name 11" in text[0] and len(few) == len(many) <= 10, "\n".join(many)


def test_who_followed_a_link_costs_one_query_for_all_blocks_that_say_so(visit):
    everything(visit=visit)
    found = queries_of(lambda: everything(visit=visit))
    assert len([sql for sql in found if "visit" in sql]) == 1


# Nobody sees what is somebody else's


def test_one_request_after_the_other_shows_each_visitor_their_own(terms, camille, make_user):
    lea = make_user("lea")
    mine = {user: people.code_of(people.advocate_for(user)) for user in (camille, lea)}
    Advocate.objects.update(name_confirmed_at=timezone.now())
    for user, code in mine.items():
        text = everything(user)
        other = mine[lea if user == camille else camille]
        assert code in text and other not in text
    assert not any(code in everything() for code in mine.values())


def test_a_copy_of_a_request_for_nobody_shows_nobodys(terms, camille):
    """As pages in a shared cache are drawn."""
    code = people.code_of(people.advocate_for(camille))
    Advocate.objects.update(name_confirmed_at=timezone.now())
    request = request_of(camille)
    assert code in draw("referral_share", request=request)
    nobody = copy.copy(request)
    nobody.user = AnonymousUser()
    assert code not in draw("referral_share", request=nobody)


@pytest.fixture
def page(db):
    page = ContentPage(title="All of it", slug="all-of-it", body=[(name, {}) for name in NAMES])
    Site.objects.get(is_default_site=True).root_page.add_child(instance=page)
    page.save_revision().publish()
    return page


def test_a_cache_of_pages_gives_nobody_what_is_somebody_elses(terms, page, camille, settings):
    settings.MIDDLEWARE = [
        "django.middleware.cache.UpdateCacheMiddleware",
        *settings.MIDDLEWARE,
        "django.middleware.cache.FetchFromCacheMiddleware",
    ]
    code = people.code_of(people.advocate_for(camille))
    Advocate.objects.update(name_confirmed_at=timezone.now())
    hers, friends, others = Client(), Client(headers={"user-agent": BROWSER}), Client()
    hers.force_login(camille)
    friends.get(people.share_path(code))
    for client, sees_code, is_invited in (
        (hers, True, False),
        (friends, False, True),
        (others, False, False),
    ) * 2:
        response = client.get(page.url)
        text = response.content.decode()
        assert (code in text, "referrals-banner" in text) == (sees_code, is_invited)
        assert "Cookie" in response.headers["Vary"]


# Each block


def test_share_leads_a_visitor_to_their_link_and_says_what_each_side_gets(terms, make_user):
    for user in (None, make_user("lea")):
        text = draw("referral_share", user, text="Good things are for two.")
        assert 'href="/en/account/refer-a-friend/"' in text and "Get your link" in text
        assert "10% off one order" in text and "€15.00 of referral credit" in text
        assert "Good things are for two." in text
    assert "10% off" not in draw("referral_share", shows_offer=False)
    assert not Advocate.objects.exists()


def test_share_shows_the_link_to_who_has_seen_what_friends_will_read(terms, advocate, camille):
    code = people.code_of(advocate)
    assert f"/r/{code}/?via=copy" in draw("referral_share", camille)
    Advocate.objects.update(name_confirmed_at=None)
    text = draw("referral_share", camille)
    assert code not in text and "Get your link" in text


@pytest.mark.parametrize("state", ["blocked", "paused", "left"])
@pytest.mark.parametrize("name", ["referral_share", "referral_progress"])
def test_who_does_not_refer_at_present_is_shown_no_way_to(name, state, terms, advocate, camille):
    Advocate.objects.update(state=state)
    assert draw(name, camille) == ""


def test_the_banner_is_for_who_was_invited(visit, camille):
    text = draw("referral_banner", visit=visit, text="Look around.")
    assert "Camille invites you" in text and "Your present: 10% off one order" in text
    assert "Look around." in text and "Valid until" in text
    assert draw("referral_banner") == "" and draw("referral_banner", camille, visit) == ""


def test_how_it_works_follows_the_reader(visit):
    invites, invited = "Share your link", "Place your order"
    assert invites in draw("referral_how_it_works")
    assert invited in draw("referral_how_it_works", visit=visit)
    assert invited in draw("referral_how_it_works", reader="friend")
    assert invites in draw("referral_how_it_works", visit=visit, reader="referrer")
    written = draw("referral_how_it_works", steps=[{"heading": "One & only", "text": "So."}])
    assert "One & only" in written and invites not in written


def test_questions_are_the_editors_or_those_that_the_terms_answer(visit):
    own = [{"question": "Why?", "answer": "<p>Because <b>we</b> like you.</p>"}]
    text = draw("referral_faq")
    assert "Whom can I invite?" in text and "€15.00 of referral credit, once your friend" in text
    assert "14 days after your friend's order was delivered" in text
    text = draw("referral_faq", visit=visit)
    assert "Do I need a code?" in text and "Whom can I invite?" not in text
    text = draw("referral_faq", questions=own)
    assert "<b>we</b>" in text and "Whom can I invite?" not in text
    text = draw("referral_faq", questions=own, with_ours=True)
    assert text.index("Why?") < text.index("Whom can I invite?")


def test_terms_follow_the_reader(visit):
    for_friends = "For an order within 30 days after you followed the link."
    for_referrers = "Your reward comes 14 days after your friend's order was delivered."
    assert for_referrers in draw("referral_terms") and for_friends not in draw("referral_terms")
    assert for_friends in draw("referral_terms", visit=visit)
    assert for_friends in draw("referral_terms", reader="friend")
    assert for_referrers in draw("referral_terms", visit=visit, reader="referrer")
    assert "Not for cash." in draw("referral_terms") and "Not for cash." in draw(
        "referral_terms", visit=visit
    )


def test_progress_without_milestones_counts_the_friends(terms, camille, advocate):
    text = draw("referral_progress")
    assert "What each friend brings you" in text and "€15.00 of referral credit" in text
    assert "Get your link" in text
    assert "No friend of yours has ordered yet." in draw("referral_progress", camille)
    Standing.objects.create(program_key=terms.program_key, period="ever", advocate=advocate, referrals=2)
    text = draw("referral_progress", camille)
    assert "2 friends have ordered thanks to you." in text and "Get your link" not in text


def test_progress_to_a_milestone_is_a_bar_with_words(milestones, camille, advocate):
    refer(advocate, milestones, ordinal=1)
    refer(advocate, milestones, ordinal=2)
    soup = BeautifulSoup(draw("referral_progress", camille), "html.parser")
    bar = soup.progress
    assert (bar["max"], bar["value"]) == ("3", "2")
    named = soup.find(id=bar["aria-labelledby"])
    assert "1 more friend" in named.text and "2 of 3 friends" in bar.text
    strangers = BeautifulSoup(draw("referral_progress"), "html.parser")
    assert strangers.progress is None and "€50.00 of referral credit" in strangers.text
    assert "to go" not in strangers.text


def test_progress_in_the_program_that_the_editor_chose(terms, milestones, camille, advocate):
    assert "€50.00 of referral credit" in draw("referral_progress", program=str(milestones.program_key))
    assert "€50.00 of referral credit" not in draw("referral_progress", program=str(terms.program_key))
    milestones.program.unpublish()
    assert draw("referral_progress", program=str(milestones.program_key)) == ""


def rows_of(text):
    table = BeautifulSoup(text, "html.parser").table
    return [" ".join(row.get_text(" ").split()) for row in table.tbody.find_all("tr")] if table else []


@time_machine.travel(datetime(2026, 11, 5, 12, tzinfo=UTC))
def test_a_leaderboard_is_a_table_with_ties_and_ones_own_place(terms, camille):
    for name, number in (("Noor", 5), ("Jonas <b>", 3), ("Maya", 3), ("Tom", 2)):
        bring(terms, name, number)
    bring(terms, "Not named", 9, joined=False)
    assert rows_of(source("referral_leaderboard", size=3)) == ["1 Noor 5", "2 Jonas <b> 3", "2 Maya 3"]
    own = people.advocate_for(camille)
    Standing.objects.create(program_key=terms.program_key, period="2026-11", advocate=own, referrals=1)
    text = source("referral_leaderboard", camille, size=3)
    assert rows_of(text)[3:] == ["5 Camille (you) 1"]
    assert "Others do not see you here." in text
    recognition.join_leaderboards(own)
    text = source("referral_leaderboard", camille, size=10)
    assert rows_of(text)[4:] == ["5 Camille (you) 1"] and "Others do not see you" not in text


@time_machine.travel(datetime(2026, 12, 5, 12, tzinfo=UTC))
def test_a_leaderboard_counts_the_period_and_the_program_that_the_editor_chose(terms, milestones):
    bring(terms, "Noor", 5)
    bring(milestones, "Jonas", 2)
    text = draw("referral_leaderboard", program=str(terms.program_key))
    assert "December 2026" in text and "Nobody stands here yet" in text and rows_of(text) == []
    assert rows_of(source("referral_leaderboard", program=str(terms.program_key), period="year")) == [
        "1 Noor 5"
    ]
    text = draw("referral_leaderboard", program=str(milestones.program_key), period="ever")
    assert rows_of(text) == ["1 Jonas 2"] and "Since the beginning" in text
    # It outlives its program.
    milestones.program.unpublish()
    assert rows_of(source("referral_leaderboard", program=str(milestones.program_key), period="ever")) == [
        "1 Jonas 2"
    ]


def test_the_wall_shows_who_agreed_in_the_language_of_the_page(terms):
    featured = thank(bring(terms, "Noor", 1), "Brings everybody.")
    thank(bring(terms, "Jonas", 1))
    text = draw("referral_wall", text="Some of those whom we thank.")
    assert "Brings everybody." in text and "Some of those whom we thank." in text
    assert "Noor" not in draw("referral_wall", size=1)
    recognition.decline_feature(featured.advocate)
    assert "Noor" not in draw("referral_wall")


def test_the_balance_is_the_customers(terms, camille, make_user):
    credit.grant(user=camille, currency="EUR", amount=Decimal("12.50"), key="1")
    text = draw("referral_balance", camille)
    assert "€12.50" in text and 'href="/en/account/refer-a-friend/' in text
    text = draw("referral_balance", make_user("lea"))
    assert "€" not in text and "You have not earned any yet." in text
    assert draw("referral_balance") == ""


def test_every_id_is_there_once_and_styles_and_script_too(milestones, camille):
    people.advocate_for(camille)
    Advocate.objects.update(name_confirmed_at=timezone.now())
    bring(milestones, "Noor", 2)
    request = request_of(camille)
    text = "".join(draw(name, request=request) for name in NAMES * 2)
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) > 6 and len(ids) == len(set(ids))
    assert text.count("referrals.css") == 1 and text.count("referrals.js") == 1
    for named in re.findall(r'aria-labelledby="([^"]+)"', text):
        assert named in ids


# Previews


@pytest.mark.parametrize("name", NAMES)
def test_the_list_of_blocks_shows_a_sample_of_nobody(name, db, admin_client, admin_user):
    prefix = ContentPage.body.field.stream_block.child_blocks[name].definition_prefix
    response = admin_client.get("/admin/block-preview/", {"id": prefix})
    soup = BeautifulSoup(response.content, "html.parser")
    assert response.status_code == 200 and soup.select_one(".referrals-block")
    assert soup.select_one('link[href*="referrals.css"]') and len(soup.main.text.split()) > 5
    assert not soup.select("script:not([src]), style, [style]")
    # A sample has no picture of its own to load.
    assert not soup.select('img[src*="picture.png"]')
    assert not Advocate.objects.exists() and not Visit.objects.exists()


def test_the_preview_of_a_page_shows_a_sample_customer_and_nothing_of_the_editors(terms, page, make_user):
    editor = make_user("ed", is_superuser=True)
    code = people.code_of(people.advocate_for(editor))
    Advocate.objects.update(name_confirmed_at=timezone.now())
    credit.grant(user=editor, currency="EUR", amount=Decimal(77), key="1")
    bring(terms, "Noor", 1)
    Standing.objects.create(
        program_key=terms.program_key,
        period=recognition.current_period("month"),
        advocate=Advocate.objects.get(user=editor),
        referrals=88,
    )
    request = request_of(editor, is_preview=True)
    text = "".join(draw(name, request=request, context={"page": page}) for name in NAMES)
    assert panels.SAMPLE_CODE in text and "€45.00" in text
    assert code not in text and "€77" not in text and "88" not in text
    # What everybody sees is what everybody will see.
    assert "Piotr" not in text


def test_the_preview_of_a_page_as_a_visitor_shows_no_link(terms, camille, advocate, page):
    request = request_of(camille, is_preview=True, referral_preview="visitor")
    assert "Get your link" in draw("referral_share", request=request, context={"page": page})


def test_an_editor_opens_and_saves_a_page_with_every_block(page, milestones, admin_client):
    edit = f"/admin/pages/{page.pk}/edit/"
    form = admin_client.get(edit)
    assert form.status_code == 200 and str(milestones.program_key) in form.content.decode()
    data = {"title": page.title, "slug": page.slug, "introduction": "", "comments-TOTAL_FORMS": 0}
    data |= {"comments-INITIAL_FORMS": 0, "action-publish": "1", "body-count": len(NAMES)}
    for number, name in enumerate(NAMES):
        start = f"body-{number}"
        data |= {f"{start}-deleted": "", f"{start}-order": number, f"{start}-type": name, f"{start}-id": ""}
        data |= {f"{start}-value-{each}": "" for each in ("heading", "text", "reader", "program")}
        data |= {f"{start}-value-{each}-count": 0 for each in ("steps", "questions")}
        data |= {f"{start}-value-period": "year", f"{start}-value-size": 5}
    data[f"body-{NAMES.index('referral_leaderboard')}-value-program"] = str(milestones.program_key)
    response = admin_client.post(edit, data)
    assert response.status_code == 302, response.context["form"].errors
    page.refresh_from_db()
    assert [block.block_type for block in page.body] == NAMES
    board = page.body[NAMES.index("referral_leaderboard")].value
    assert dict(board) == {
        "heading": "",
        "program": str(milestones.program_key),
        "period": "year",
        "size": 5,
    }


def test_a_sites_migration_names_nothing_of_ours_and_keeps_every_value():
    _name, _path, (children,), options = StreamField(REFERRAL_BLOCKS).deconstruct()
    lookup = options["block_lookup"]
    assert all(path.startswith("wagtail.blocks.") for path, _arguments, _options in lookup.values())
    assert not any(words in repr(lookup) for words in ("label", "help_text", "this month"))
    then = StreamField(children, block_lookup=lookup).stream_block.child_blocks
    values = {name: block.get_prep_value(block.get_default()) for name, block in REFERRAL_BLOCKS}
    values["referral_leaderboard"] |= {"program": "6f0c", "period": "year"}
    values["referral_faq"]["questions"] = [
        {"type": "item", "value": {"question": "Why?", "answer": "<p>So.</p>"}, "id": "1"}
    ]
    for name, value in values.items():
        assert then[name].get_prep_value(then[name].to_python(value)) == value
