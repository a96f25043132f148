"""What a landing page says to each visitor: variants, situations, the button, the terms, a day to come."""

from __future__ import annotations

import html
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from bs4 import BeautifulSoup
from django.core.cache import cache
from django.core.files.images import ImageFile
from django.test import Client
from django.utils import timezone, translation
from oscar.test.factories import create_product
from wagtail.blocks import StructBlockValidationError
from wagtail.images import get_image_model
from wagtail.models import Locale, Page, Site

from tests.audiences import BUYERS, make_audience
from tests.site.conftest import BROWSER, publish
from wagtail_referrals import people, programs, rewards
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.programs.models import Program, ProgramRule
from wagtail_referrals.site.actions import action_targets
from wagtail_referrals.site.models import HubPage, LandingPage
from wagtail_referrals.site.picture import draw_picture
from wagtail_referrals.tracking.models import Claim, Visit

pytestmark = pytest.mark.usefixtures("alone")

ENGLISH = {"user-agent": BROWSER, "accept-language": "en"}


@pytest.fixture
def home(db) -> Page:
    return Site.objects.get(is_default_site=True).root_page


@pytest.fixture
def landing(home) -> LandingPage:
    page = LandingPage(title="Invitation", slug="invitation", headline="{name} has a present for you")
    home.add_child(instance=page)
    page.save_revision().publish()
    return page


def write(page, **values):
    for name, value in values.items():
        setattr(page, name, value)
    page.full_clean()
    page.save_revision().publish()


def variant(**values):
    return {"type": "variant", "value": {"audience": "", "channels": []} | values}


def situation(key, **values):
    return {"type": "situation", "value": {"situation": key} | values}


def get(address, client=None):
    return (client or Client(headers=ENGLISH)).get(address)


def text_of(response) -> str:
    return html.unescape(response.content.decode())


def headline_of(response) -> str:
    return BeautifulSoup(response.content, "html.parser").find("article").find("h1").text


def buttons_of(response) -> list[tuple[str, str]]:
    article = BeautifulSoup(response.content, "html.parser").find("article")
    return [(link.text.strip(), link["href"]) for link in article.select(".referrals-actions a")]


def kind_of(response) -> str:
    return response.context["invitation"].kind


# Variants.


def test_the_way_by_which_the_link_came_chooses_the_words(link, terms, landing):
    write(
        landing,
        variants=[
            variant(
                channels=["whatsapp", "telegram"], headline="From {name}'s chat", action_text="Look, quick"
            ),
            variant(channels=["qr"], introduction="<p>You scanned it: {gift}.</p>"),
        ],
    )
    chat = get(f"{link}?via=telegram")
    assert headline_of(chat) == "From Camille's chat" and "Look, quick" in text_of(chat)
    scanned = get(f"{link}?via=qr")
    assert headline_of(scanned) == "Camille has a present for you"
    assert "You scanned it: 10% off one order." in text_of(scanned)
    for address in (link, f"{link}?via=email", f"{link}?via=nonsense"):
        assert headline_of(get(address)) == "Camille has a present for you"


def test_it_is_the_same_variant_when_the_page_is_opened_again(browser_client, link, terms, landing):
    write(landing, variants=[variant(channels=["qr"], headline="Scanned")])
    get(f"{link}?via=qr", browser_client)
    assert headline_of(get(link, browser_client)) == "Scanned"
    assert headline_of(get(landing.url, browser_client)) == "Scanned"


def test_a_variant_for_the_friends_of_some_referrers(link, terms, landing, camille, make_user):
    from django.contrib.auth.models import Group

    members = Group.objects.create(name="Members")
    audience = make_audience(("group", {"group": str(members.pk), "title": "Members"}))
    write(
        landing,
        variants=[
            variant(audience=str(audience.pk), channels=["qr"], headline="A member's card"),
            variant(audience=str(audience.pk), headline="A member invites you"),
        ],
    )
    paul = people.advocate_for(make_user("paul"))
    members.user_set.add(paul.user)
    assert headline_of(get(link)) == "Camille has a present for you"
    members_link = people.share_path(people.code_of(paul))
    assert headline_of(get(members_link)) == "A member invites you"
    assert headline_of(get(f"{members_link}?via=qr")) == "A member's card"
    # Whoever is nobody's account is in no audience with rules.
    guest = people.advocate_for_guest("guest@example.com")
    assert headline_of(get(people.share_path(people.code_of(guest)))) == "A friend has a present for you"


@pytest.mark.parametrize("what", ["gone", "draft"])
def test_an_audience_that_is_gone_chooses_nothing(what, link, terms, landing):
    audience = make_audience()
    write(landing, variants=[variant(audience=str(audience.pk), headline="For members")])
    assert headline_of(get(link)) == "For members"
    if what == "gone":
        audience.delete()
    else:
        audience.unpublish()
    assert headline_of(get(link)) == "Camille has a present for you"


def test_a_variant_costs_no_query_and_neither_does_its_picture(
    link, terms, landing, camille, django_assert_num_queries, tmp_path, settings
):
    settings.MEDIA_ROOT = tmp_path
    path = tmp_path / "picture.png"
    path.write_bytes(draw_picture("Camille", ""))
    with path.open("rb") as opened:
        picture = get_image_model().objects.create(title="p", file=ImageFile(opened, name="p.png"))
    audience = make_audience(BUYERS)
    write(
        landing,
        variants=[
            variant(audience=str(audience.pk), headline="For buyers"),
            variant(channels=["qr"], headline="Scanned", picture=picture.pk),
        ],
    )
    get(f"{link}?via=qr")
    with django_assert_num_queries(1) as queries:
        response = get(f"{link}?via=qr")
    assert queries[0]["sql"].startswith("INSERT")
    assert headline_of(response) == "Scanned" and "<img" in text_of(response)


def test_a_variant_is_for_somebody(landing):
    block = LandingPage._meta.get_field("variants").stream_block.child_blocks["variant"]
    with pytest.raises(StructBlockValidationError) as caught:
        block.clean(block.to_python(variant(headline="For nobody")["value"]))
    assert "Say for whom" in str(caught.value.block_errors["audience"])


# Who comes again.


def come_back(browser_client, link, days=3):
    get(link, browser_client)
    return time_machine.travel(timezone.now() + timedelta(days=days), tick=False)


def used_up(browser_client, user=None, state=Claim.State.USED) -> Claim:
    visit = Visit.objects.select_related("terms", "advocate").latest("pk")
    claim = rewards.commit(visit=visit, basket_reference="1", source="link", user=user)
    Claim.objects.filter(pk=claim.pk).update(state=state)
    claim.discounts.update(state="used", used_reference="100001")
    return claim


def test_who_comes_again_reads_that_it_waits_and_until_when(browser_client, link, terms, landing):
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        get(link, browser_client)
        # Still the same sitting.
        assert kind_of(get(link, browser_client)) == "friend"
    with time_machine.travel(datetime(2026, 3, 2, 11, tzinfo=UTC), tick=False):
        response = get(link, browser_client)
        assert kind_of(response) == "returning" and headline_of(response) == "Welcome back"
        text = text_of(response)
        assert "Camille invites you" in text and "Your present waits: 10% off one order" in text
        # The days count from the first time, and the page says so.
        assert "Valid until March 31, 2026." in text
        assert "For new customers only." in text and "Not for cash." in text
        assert [url.startswith(f"{link}?to=") for _text, url in buttons_of(response)] == [True]
        at_its_own = get(landing.url, browser_client)
        assert kind_of(at_its_own) == "returning" and "Valid until March 31, 2026." in text_of(at_its_own)


def test_after_a_day_the_days_begin_anew_and_the_page_says_so(browser_client, link, terms):
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        get(link, browser_client)
    with time_machine.travel(datetime(2026, 3, 10, 12, tzinfo=UTC), tick=False):
        response = get(link, browser_client)
        assert kind_of(response) == "returning" and "Valid until April 9, 2026." in text_of(response)


def test_another_friends_link_is_a_new_invitation(browser_client, link, terms, make_user):
    other = people.share_path(people.code_of(people.advocate_for(make_user("paul"))))
    with come_back(browser_client, link):
        assert kind_of(get(other, browser_client)) == "friend"


def test_who_has_ordered_with_the_invitation_is_told_so(browser_client, link, terms, landing):
    get(link, browser_client)
    used_up(browser_client)
    for days in (0, 5):
        with time_machine.travel(timezone.now() + timedelta(days=days), tick=False):
            response = get(link, browser_client)
            assert kind_of(response) == "used" and "referral" not in response.cookies
            text = text_of(response)
            assert "You have ordered with an invitation already." in text
            assert "has a present" not in text and "Not for cash." not in text
            assert buttons_of(response)[0] == ("Refer a friend", "/en/account/refer-a-friend/")
    assert kind_of(get(landing.url, browser_client)) == "used"


def test_on_another_device_the_account_tells_it(link, terms, make_user):
    friend = make_user("lea")
    get(link)
    used_up(None, user=friend)
    client = Client(headers=ENGLISH)
    client.force_login(friend)
    assert kind_of(get(link, client)) == "used"
    stranger = Client(headers=ENGLISH)
    stranger.force_login(make_user("mia"))
    assert kind_of(get(link, stranger)) == "friend"


def test_an_invitation_of_another_program_is_a_new_one(browser_client, link, terms):
    get(link, browser_client)
    used_up(browser_client)
    Program.objects.update(live=False)
    publish()
    assert kind_of(get(link, browser_client)) == "friend"


def test_a_discount_that_came_back_waits_again(browser_client, link, terms, monkeypatch):
    get(link, browser_client)
    claim = used_up(browser_client)
    claim.discounts.update(state="issued")
    with time_machine.travel(timezone.now() + timedelta(hours=1), tick=False):
        assert kind_of(get(link, browser_client)) == "returning"


def test_a_used_invitation_of_a_closed_program_is_still_told(browser_client, link, terms):
    get(link, browser_client)
    used_up(browser_client)
    Program.objects.update(live=False)
    programs.forget_open_terms()
    assert kind_of(get(link, browser_client)) == "used"
    assert kind_of(get(link)) == "closed"


# Situations.


def test_the_editors_words_for_each_situation(browser_client, link, terms, landing, camille):
    write(
        landing,
        situations=[
            situation("returning", headline="There you are", text="<p>{gift}, until {day}.</p>"),
            situation("own", headline="Your link, {name}", text="<p>Send it.</p>", action_text="Send it"),
            situation("closed", headline="Over", action_text="Come in"),
            situation("unknown", text="<p>Ask again.</p>"),
        ],
    )
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        get(link, browser_client)
    with time_machine.travel(datetime(2026, 3, 1, 18, tzinfo=UTC), tick=False):
        returning = get(link, browser_client)
    assert headline_of(returning) == "There you are"
    assert "10% off one order, until March 31, 2026." in text_of(returning)
    # What waits is said whatever the editor wrote.
    assert "Your present waits: 10% off one order" in text_of(returning)

    own = Client(headers=ENGLISH)
    own.force_login(camille)
    response = get(link, own)
    assert headline_of(response) == "Your link, Camille" and "Send it." in text_of(response)
    assert "It is for your friends." not in text_of(response)
    assert buttons_of(response)[0] == ("Send it", "/en/account/refer-a-friend/")

    unknown = get("/r/ZZZZZZZZ/")
    assert headline_of(unknown) == "We do not know this link" and "Ask again." in text_of(unknown)
    assert "Perhaps a part of it is missing." not in text_of(unknown)

    Program.objects.update(live=False)
    programs.forget_open_terms()
    closed = get(link)
    assert headline_of(closed) == "Over" and buttons_of(closed)[0][0] == "Come in"
    assert "There is no present for new customers at the moment." in text_of(closed)


def test_without_words_of_the_editor_ours_stand_there(link, terms, landing):
    write(landing, situations=[situation("closed", headline="Over")])
    Advocate.objects.update(state="left")
    people.forget_code(Advocate.objects.get())
    response = get(link)
    # Who left invites nobody any more.
    assert kind_of(response) == "closed" and headline_of(response) == "Over"
    assert "You are welcome all the same." in text_of(response)


# The button.


def test_the_button_leads_to_a_page_in_the_visitors_language(link, terms, landing, home):
    target = HubPage(title="Classes", slug="classes")
    home.add_child(instance=target)
    locale, _created = Locale.objects.get_or_create(language_code="fr")
    if not home.has_translation(locale):
        home.copy_for_translation(locale)
    french = target.copy_for_translation(locale)
    french.save_revision().publish()
    write(landing, action_target="page", action_options={"action_page": target.pk})
    assert buttons_of(get(link)) == [("Have a look", f"{link}?to={target.url.replace('/', '%2F')}")]
    write(landing, action_text="See the classes")
    assert buttons_of(get(link))[0][0] == "See the classes"
    landing_fr = landing.copy_for_translation(locale)
    landing_fr.save_revision().publish()
    with translation.override("fr"):
        wanted = french.url
    response = Client(headers=ENGLISH | {"accept-language": "fr"}).get(link)
    assert buttons_of(response)[0][1] == f"{link}?to={wanted.replace('/', '%2F')}"


def test_a_page_that_is_closed_leaves_the_shop(link, terms, landing, home):
    target = HubPage(title="Classes", slug="classes")
    home.add_child(instance=target)
    target.unpublish()
    write(landing, action_target="page", action_options={"action_page": target.pk})
    assert buttons_of(get(link)) == [("To the shop", f"{link}?to=%2Fen%2Fcatalogue%2F")]


def test_the_button_leads_to_a_product_while_the_shop_shows_it(link, terms, landing):
    product = create_product(title="Mat")
    write(landing, action_target="product", action_options={"action_product": product.pk})
    [(text, url)] = buttons_of(get(link))
    assert text == "Have a look" and url.endswith(f"mat_{product.pk}%2F")
    followed = Client(headers=ENGLISH).get(url)
    assert followed.status_code == 302 and followed.url.endswith(f"mat_{product.pk}/")
    product.is_public = False
    product.save()
    write(landing, action_options={"action_product": product.pk, "again": 1})
    assert buttons_of(get(link)) == [("To the shop", f"{link}?to=%2Fen%2Fcatalogue%2F")]


def test_the_button_opens_an_account_for_who_has_none(browser_client, link, terms, landing, make_user):
    write(landing, action_target="sign_up")
    assert buttons_of(get(link)) == [("Open an account", f"{link}?to=%2Fen%2Faccounts%2Fregister%2F")]
    browser_client.force_login(make_user("lea"))
    assert buttons_of(get(link, browser_client)) == [("To the shop", f"{link}?to=%2Fen%2Fcatalogue%2F")]


def test_two_buttons_never_lead_to_the_same_place(link, landing):
    publish(friend={"kind": "credit", "amounts": {"EUR": "5.00"}})
    write(landing, action_target="sign_up", action_text="Join us")
    assert [text for text, _url in buttons_of(get(link))] == ["Join us", "To the shop"]


def test_a_target_that_fails_or_is_gone_leaves_the_shop(link, terms, landing, monkeypatch, caplog):
    monkeypatch.setattr(action_targets.get("sign_up").__class__, "url", lambda *args: 1 / 0)
    write(landing, action_target="sign_up")
    assert buttons_of(get(link)) == [("To the shop", f"{link}?to=%2Fen%2Fcatalogue%2F")]
    assert "leads to the shop" in caplog.text
    LandingPage.objects.update(action_target="something_of_an_app")
    cache.clear()
    assert buttons_of(get(link)) == [("To the shop", f"{link}?to=%2Fen%2Fcatalogue%2F")]


def test_a_page_as_target_costs_no_query(link, terms, landing, home, django_assert_num_queries):
    write(landing, action_target="page", action_options={"action_page": home.pk})
    get(link)
    with django_assert_num_queries(1):
        get(link)


# Terms, body, and what search engines and messengers read.


def test_the_terms_stand_at_the_end_or_where_the_editor_placed_them(link, terms, landing):
    write(landing, body=[{"type": "text", "value": "<p>More about us.</p>"}])
    text = text_of(get(link))
    assert text.count("Not for cash.") == 1 and text.index("More about us.") < text.index("Not for cash.")
    write(
        landing,
        body=[
            {"type": "referral_terms", "value": {}},
            {"type": "text", "value": "<p>More about us.</p>"},
        ],
    )
    text = text_of(get(link))
    assert text.count("Not for cash.") == 1 and text.index("More about us.") > text.index("Not for cash.")


def test_how_it_works_is_told_once(link, terms, landing):
    write(landing, body=[{"type": "referral_how_it_works", "value": {}}])
    assert text_of(get(link)).count("Have a look around") == 1


def test_the_body_is_for_friends(link, terms, landing, camille):
    write(landing, body=[{"type": "text", "value": "<p>More about us.</p>"}])
    own = Client(headers=ENGLISH)
    own.force_login(camille)
    assert "More about us." not in text_of(get(link, own))
    assert "More about us." in text_of(get(landing.url))


def test_the_public_page_may_be_found_and_the_personal_ones_not(
    browser_client, link, terms, landing, tmp_path, settings
):
    settings.MEDIA_ROOT = tmp_path
    path = tmp_path / "picture.png"
    path.write_bytes(draw_picture("Camille", ""))
    with path.open("rb") as opened:
        picture = get_image_model().objects.create(title="p", file=ImageFile(opened, name="p.png"))
    write(landing, picture=picture, seo_title="Invited?", search_description="Come and see.")
    public = get(landing.url)
    text = text_of(public)
    assert f'<link rel="canonical" href="{landing.full_url}">' in text and "noindex" not in text
    assert f'<meta property="og:url" content="{landing.full_url}">' in text
    assert '<meta property="og:title" content="Invited?">' in text and "<title>Invited?</title>" in text
    assert '<meta property="og:description" content="Come and see.">' in text
    image = BeautifulSoup(public.content, "html.parser").find("meta", property="og:image")["content"]
    assert image.startswith("http://testserver/") and image.endswith(".jpg")
    assert "private" not in public.headers.get("Cache-Control", "")

    get(link, browser_client)
    personal = get(landing.url, browser_client)
    assert '<meta name="robots" content="noindex">' in text_of(personal)
    assert "private" in personal.headers["Cache-Control"]


def test_nobodys_braces_reach_a_visitor(landing):
    for name in ("headline", "introduction", "card_heading", "card_text"):
        page = LandingPage.objects.get(pk=landing.pk)
        setattr(page, name, "{nmae} and {gift}")
        with pytest.raises(Exception, match=r"\{nmae\}"):
            page.full_clean()
        setattr(page, name, "{name} and {gift}")
        page.full_clean()


# A day to come.


def preview(page, mode, moment=None):
    page.preview_on = moment
    return page.make_preview_request(preview_mode=mode)


@pytest.fixture
def christmas(terms):
    """Half off, from 1 to 26 December, before the usual program; the usual one ends on 30 December."""
    Program.objects.update(expire_at=datetime(2026, 12, 30, tzinfo=UTC))
    program = Program(
        name="Christmas",
        precedence=1,
        live=False,
        go_live_at=datetime(2026, 12, 1, tzinfo=UTC),
        expire_at=datetime(2026, 12, 26, tzinfo=UTC),
    )
    program.rules = [ProgramRule(side="friend", trigger="arrives", kind="discount_percent", percent=50)]
    program.save()
    return program


@time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False)
def test_the_preview_looks_ahead(christmas, landing):
    advent = datetime(2026, 12, 6, tzinfo=UTC)
    # A draft does not open by itself.
    assert "10% off" in text_of(preview(landing, "friend", advent))
    christmas.save_revision().publish()
    assert not Program.objects.get(pk=christmas.pk).live
    response = preview(landing, "friend", advent)
    assert "50% off" in text_of(response) and "Valid until Jan. 5, 2027." in text_of(response)
    assert "10% off" in text_of(preview(landing, "friend"))
    between = preview(landing, "friend", datetime(2026, 12, 28, tzinfo=UTC))
    assert "10% off" in text_of(between)
    late = preview(landing, "friend", datetime(2026, 12, 31, tzinfo=UTC))
    assert 'data-invitation="closed"' in text_of(late)
    assert not Visit.objects.exists()


@time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False)
def test_a_change_that_is_scheduled_counts_from_its_day_only(terms, landing):
    Program.objects.get().save_revision().publish()
    usual = Program.objects.get()
    usual.rules.filter(side="friend").update(percent=20)
    usual = Program.objects.get()
    usual.go_live_at = datetime(2026, 12, 1, tzinfo=UTC)
    revision = usual.save_revision()
    usual.rules.filter(side="friend").update(percent=10)
    revision.publish()
    assert "10% off" in text_of(preview(landing, "friend", datetime(2026, 11, 30, tzinfo=UTC)))
    assert "20% off" in text_of(preview(landing, "friend", datetime(2026, 12, 2, tzinfo=UTC)))


@time_machine.travel(datetime(2026, 11, 20, 12, tzinfo=UTC), tick=False)
def test_a_program_for_some_referrers_is_not_the_samples(christmas, landing):
    christmas.audience = make_audience(BUYERS)
    christmas.save_revision().publish()
    assert "10% off" in text_of(preview(landing, "friend", datetime(2026, 12, 6, tzinfo=UTC)))


def test_each_variant_has_a_preview_of_its_own(terms, landing):
    audience = make_audience(name="Members")
    landing.variants = [
        variant(channels=["qr", "print"], headline="Scanned by {name}'s friend"),
        variant(audience=str(audience.pk), headline="A member's friend"),
    ]
    landing.save_revision().publish()
    landing = LandingPage.objects.get(pk=landing.pk)
    modes = dict(landing.preview_modes)
    assert (
        modes["variant-0"] == "Variant 1: QR code, printed card"
        and modes["variant-1"] == "Variant 2: Members"
    )
    assert "Scanned by Camille's friend" in text_of(preview(landing, "variant-0"))
    assert "A member's friend" in text_of(preview(landing, "variant-1"))
    assert 'data-invitation="friend"' in text_of(preview(landing, "variant-7"))
    assert "A member" not in text_of(preview(landing, "friend"))


def test_the_previewed_friend_came_some_days_ago(terms, landing):
    with time_machine.travel(datetime(2026, 3, 1, 12, tzinfo=UTC), tick=False):
        text = text_of(preview(landing, "returning"))
    assert "Welcome back" in text and "Valid until March 28, 2026." in text
