"""From nothing to the page that a friend sees: ``python -m tests.swapped_page.story``. Raises where it cannot."""

from __future__ import annotations

import os

import django


def main() -> None:
    os.environ["DJANGO_SETTINGS_MODULE"] = "tests.swapped_page.settings"
    django.setup()

    from django.contrib.auth import get_user_model
    from django.core.management import call_command
    from django.test import Client
    from django.urls import reverse
    from wagtail.models import Site
    from wagtail.test.basepage.models import BasePage

    from wagtail_referrals import people
    from wagtail_referrals.admin.terms import compare_url
    from wagtail_referrals.feedback.models import FeedbackPage
    from wagtail_referrals.programs.models import Program, Terms
    from wagtail_referrals.site.models import HubPage, LandingPage
    from wagtail_referrals.tracking.models import Visit

    call_command("check")
    call_command("makemigrations", "wagtail_referrals", "referral_feedback", check=True, dry_run=True)
    call_command("migrate", verbosity=0)
    call_command("referrals_start", publish=True)
    program = Program.objects.get()
    program.save_revision().publish()
    landing, hub = LandingPage.objects.get(locale__language_code="en"), HubPage.objects.first()
    assert isinstance(landing, BasePage) and isinstance(hub, BasePage)

    customer = get_user_model().objects.create_user("camille", "camille@example.com", "secret")
    code = people.advocate_for(customer).codes.get().text
    friend = Client()
    answer = friend.get(f"/r/{code}/")
    assert answer.status_code == 200 and landing.title in answer.content.decode(), answer
    assert Visit.objects.get().terms is not None
    assert friend.get(hub.url).status_code == 200

    get_user_model().objects.create_superuser("editor", "editor@example.com", "secret")
    editor = Client()
    assert editor.login(username="editor", password="secret")
    home = Site.objects.get(is_default_site=True).root_page
    for path in (
        f"/admin/pages/{landing.pk}/edit/",
        f"/admin/pages/{hub.pk}/edit/",
        f"/admin/pages/add/wagtail_referrals/landingpage/{home.pk}/",
        f"/admin/pages/add/referral_feedback/feedbackpage/{home.pk}/",
        reverse("wagtail_referrals_programs:edit", args=[program.pk]),
    ):
        answer = editor.get(path, follow=True)
        assert answer.status_code == 200, (path, answer.status_code)
    assert not FeedbackPage.objects.exists()

    # Two versions of the terms that lead to different pages are compared by the pages' titles.
    program.landing_page_id = landing.pk
    program.save_revision().publish()
    first, second = (terms.number for terms in Terms.objects.order_by("number"))
    answer = editor.get(compare_url(str(program.key), first, second))
    assert answer.status_code == 200 and landing.title in answer.content.decode()

    call_command("referrals_leave", yes=True, verbosity=0)
    assert not LandingPage.objects.exists() and not HubPage.objects.exists()
    print("the pages stand on the site's own base page")


if __name__ == "__main__":
    main()
