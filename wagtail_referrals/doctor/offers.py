"""Which program a friend would be shown now, on each site and in each language."""

from __future__ import annotations

from collections.abc import Iterator

from django.conf import settings
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from wagtail.models import Site

from wagtail_referrals import people, programs
from wagtail_referrals.doctor.findings import Finding, broken, fine, look
from wagtail_referrals.doctor.places import crash
from wagtail_referrals.doctor.trial import Trial, make_account
from wagtail_referrals.programs import OpenTerms
from wagtail_referrals.programs.models import Program, language_choices


def examine_programs(trial: Trial) -> Iterator[Finding]:
    sites = list(Site.objects.order_by("-is_default_site", "pk"))
    if not sites:
        yield broken(
            _("Wagtail has no site: nobody knows what this shop's address is."),
            _("Make one in Wagtail's settings, under Sites."),
        )
        return
    trial.site = sites[0]
    for site in sites:
        yield from _offered(site, trial)
    trial.offer = programs.pick_terms(site_id=trial.site.pk, now=trial.now)
    if trial.offer is None:
        trial.offer = _trial_program(trial)
        yield fine(_("What follows is tried with a program that is there for the doctor only."))
    yield from _people(trial)


def _offered(site: Site, trial: Trial) -> Iterator[Finding]:
    name = site.hostname
    if name in ("localhost", "127.0.0.1") and not settings.DEBUG:
        yield look(
            _("Wagtail thinks that this shop is at %(host)s, and says so in mails.") % {"host": name},
            _("Correct the host in Wagtail's settings, under Sites."),
        )
    offer = programs.pick_terms(site_id=site.pk, now=trial.now)
    if offer is None:
        yield look(_("%(site)s: friends are offered nothing.") % {"site": name}, _why_nothing(site, trial))
        return
    silent = [
        str(language) for code, language in language_choices() if not any(offer.data.text(code).values())
    ]
    gift = programs.friend_gets(offer.data)
    values = {"site": name, "program": offer.data.name, "gift": gift}
    yield fine(
        _("%(site)s: “%(program)s”, the friend gets %(gift)s.") % values
        if gift
        else _("%(site)s: “%(program)s”.") % values
    )
    if silent:
        yield look(
            _("%(site)s: the program has no text of yours in %(languages)s. Our general words stand there.")
            % {"site": name, "languages": ", ".join(silent)},
            _("Write the program's texts in each language, in Wagtail under Programs."),
        )


def _why_nothing(site: Site, trial: Trial) -> str:
    others = [offer for offer in programs.open_terms(site_id=site.pk, now=trial.now) if offer.audience]
    if others:
        return _(
            "“%(program)s” is for some customers only. Publish one that is for everybody, if that is meant."
        ) % {"program": others[0].data.name}
    if Program.objects.filter(live=True).exists():
        return _("A program is published, but for another site, not for today, or its budget is used up.")
    drafts = Program.objects.count()
    if drafts:
        words = ngettext(
            "%(count)s draft waits: publish it in Wagtail, under Programs.",
            "%(count)s drafts wait: publish one in Wagtail, under Programs.",
            drafts,
        )
        return words % {"count": drafts}
    return _("Publish a program in Wagtail, under Programs.")


def _trial_program(trial: Trial) -> OpenTerms | None:
    """A ready-made one; rolled back with everything else."""
    program = programs.presets.get("give_percent_get_credit").build()
    program.live = True
    program.precedence = 0
    program.save()
    programs.publish_terms(program, now=trial.now)
    programs.forget_open_terms()
    site_id = trial.site.pk if trial.site is not None else None
    return programs.pick_terms(site_id=site_id, now=trial.now)


def _people(trial: Trial) -> Iterator[Finding]:
    """Two customers: one who refers, and a friend."""
    mend = _(
        "Does a field of the user model, or a receiver of post_save, want something that an account may not have?"
    )
    try:
        customer, trial.friend = make_account(), make_account()
    except Exception as error:
        yield crash(error, _("No account could be made to try with"), mend)
        return
    trial.advocate = people.advocate_for(customer)
    trial.code = people.code_of(trial.advocate)
