"""Blocks and tags in a shop without Oscar."""

from __future__ import annotations

import html

import pytest
from django.contrib.auth.models import AnonymousUser
from django.template import Context, Template
from django.test import RequestFactory
from django.utils import timezone
from wagtail import blocks

from wagtail_referrals import people
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.site.blocks import REFERRAL_BLOCKS

NAMES = [name for name, _block in REFERRAL_BLOCKS]


def draw(name, user, **context):
    request = RequestFactory().get("/")
    request.user = user
    block = blocks.StreamBlock(REFERRAL_BLOCKS).child_blocks[name]
    return html.unescape(block.render(block.normalize({}), context={"request": request, **context}))


@pytest.mark.parametrize("name", NAMES)
def test_each_block_is_drawn_for_a_customer_a_stranger_and_in_previews(
    name, advocate, camille, make_program, caplog
):
    make_program()
    Advocate.objects.update(name_confirmed_at=timezone.now())
    code = people.code_of(advocate)
    hers, strangers = draw(name, camille), draw(name, AnonymousUser())
    assert code not in strangers and (code in hers) == (name == "referral_share")
    assert "<h2" in hers or name in ("referral_banner", "referral_wall")
    assert "referrals-block" in draw(name, AnonymousUser(), referrals_sample=True)
    assert caplog.text == ""


def test_a_tag_leads_to_the_account_without_a_language_in_the_address(advocate, camille, make_program):
    make_program()
    text = Template("{% load referrals %}{% referral_mail_link user %}").render(Context({"user": camille}))
    assert text.endswith("/account/refer-a-friend/") and "/en/" not in text
