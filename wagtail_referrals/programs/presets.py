"""Ready-made programs to start from. A shop registers its own in ``presets``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from babel.numbers import format_currency, is_currency
from django.db import transaction
from django.utils.functional import lazy
from django.utils.translation import gettext, override
from django.utils.translation import gettext_lazy as _
from wagtail.log_actions import log

from wagtail_referrals import conf, credit
from wagtail_referrals.credit.money import babel_locale
from wagtail_referrals.kinds import Registry, Side
from wagtail_referrals.programs.amounts import local_amount
from wagtail_referrals.programs.audiences import audience_data, customer_facts
from wagtail_referrals.programs.models import (
    Audience,
    AudienceRule,
    Program,
    ProgramRule,
    ProgramText,
    language_choices,
)
from wagtail_referrals.programs.problems import return_days

# In a currency with cents: see ``local_amount``.
TEN: Final = Decimal(10)
FIFTEEN: Final = Decimal(15)
TWENTY: Final = Decimal(20)
# A shop's own fact with this key says who its members are.
MEMBERSHIP: Final = "membership"
HALF_A_YEAR: Final = 180


@dataclass(frozen=True)
class Preset:
    """``build`` makes an unsaved program with rules and texts, its texts in each content language.

    ``audience`` makes the unsaved audience that the program is for; none: everybody.
    """

    key: str
    label: Any
    description: Any
    icon: str
    build: Callable[[], Program]
    audience: Callable[[], Audience] | None = None

    def program(self) -> Program:
        """What ``build`` makes, with the shop's own waiting period.

        It is for the preset's audience: the one that the shop has already, else an unsaved one.
        """
        program = self.build()
        # Orders can be returned for so long, in the shop that says so.
        program.hold_days = max(program.hold_days, return_days(program.site_id) or 0)
        if self.audience is not None:
            ready = self.audience()
            program.audience = written_already(ready) or ready
        return program


presets: Registry[Preset] = Registry("ready-made program")


def everywhere(amount: Decimal) -> dict[str, str]:
    """The amount in each of the shop's currencies."""
    return {code: str(credit.quantize(local_amount(amount, code), code)) for code in conf.currencies()}


def amount_label(amount: Decimal) -> str:
    """ "€15": the amount in the shop's first currency, without cents, for a heading."""
    code = conf.currencies()[0]
    if not is_currency(code):
        return credit.format_money(local_amount(amount, code), code)
    locale = babel_locale()
    whole = locale.currency_formats["standard"].pattern.replace(".00", "")
    return str(
        format_currency(local_amount(amount, code), code, format=whole, locale=locale, currency_digits=False)
    )


def texts(words: dict[str, Any]) -> list[ProgramText]:
    """One row for each content language, in it. ``words``: lazily translated, by field."""
    rows = []
    for code, _name in language_choices():
        with override(code):
            rows.append(ProgramText(language=code, **{field: str(text) for field, text in words.items()}))
    return rows


def unsaved_program(name: str, rules: Sequence[ProgramRule], words: dict[str, Any], **fields: Any) -> Program:
    program = Program(name=name, **fields)
    for position, rule in enumerate(rules):
        rule.sort_order = position
    program.rules = list(rules)
    program.texts = texts(words)
    return program


def unsaved_audience(name: str, fact: str, options: dict[str, Any]) -> Audience:
    """An audience with one rule."""
    audience = Audience(name=name)
    audience.rules = [AudienceRule(sort_order=0, fact=fact, options=options)]
    return audience


def written_already(ready: Audience) -> Audience | None:
    """The published audience with the very rules of a ready-made one. Two queries."""
    wanted = audience_data(ready).version
    published = Audience.objects.filter(live=True).prefetch_related("rules")
    return next((audience for audience in published if audience_data(audience).version == wanted), None)


def new_audiences() -> list[Audience]:
    """The ready-made audiences that the shop has not written yet, unsaved. Two queries."""
    published = Audience.objects.filter(live=True).prefetch_related("rules")
    seen = {audience_data(audience).version for audience in published}
    found = []
    for preset in presets:
        if preset.audience is None:
            continue
        ready = preset.audience()
        version = audience_data(ready).version
        if version not in seen:
            seen.add(version)
            found.append(ready)
    return found


def write_audience(ready: Audience, user: Any, *, publish: bool) -> Audience:
    """Save a ready-made audience in the name of ``user``, once; what is not published yet is for nobody."""
    with transaction.atomic():
        found = written_already(ready)
        if found is not None:
            return found
        ready.live = False
        ready.save()
        log(ready, "wagtail.create", user=user)
        revision = ready.save_revision(user=user, log_action=True)
        if publish:
            revision.publish(user=user)
            ready.refresh_from_db()
    return ready


def _discount(percent: Decimal) -> ProgramRule:
    return ProgramRule(side=Side.FRIEND, trigger="arrives", kind="discount_percent", percent=percent)


DISCOUNT_WORDS: Final = {
    "headline": _("A present for your first order"),
    "introduction": _(
        "Somebody who knows us well thought of you. Have a look around: your discount is in the basket already."
    ),
    "share_message": _(
        "I like this shop and thought of you. With my link you pay less for your first order:"
    ),
    "small_print": _("Cannot be paid out in cash."),
}
CREDIT_WORDS: Final = {
    "headline": _("A present for both of us"),
    "introduction": _(
        "Somebody who knows us well thought of you. Open an account, and your credit waits for you there."
    ),
    "share_message": _("I like this shop and thought of you. With my link we both get credit:"),
    "small_print": _("Credit is used at checkout and cannot be paid out in cash."),
}


def _give_percent_get_credit() -> Program:
    return unsaved_program(
        gettext("Give %(gift)s, get %(reward)s")
        % {"gift": credit.format_percent(TEN), "reward": amount_label(FIFTEEN)},
        [
            _discount(TEN),
            ProgramRule(
                side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(FIFTEEN)
            ),
        ],
        DISCOUNT_WORDS,
        cap_count=10,
    )


def _credit_for_both() -> Program:
    return unsaved_program(
        gettext("Give and get referral credit"),
        [
            ProgramRule(side=Side.FRIEND, trigger="registers", kind="credit", amounts=everywhere(TEN)),
            ProgramRule(side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(TEN)),
        ],
        CREDIT_WORDS,
        cap_count=10,
    )


def _percentage_back() -> Program:
    return unsaved_program(
        gettext("%(gift)s off, %(reward)s back as credit")
        % {"gift": credit.format_percent(FIFTEEN), "reward": credit.format_percent(TEN)},
        [
            _discount(FIFTEEN),
            ProgramRule(side=Side.ADVOCATE, trigger="first_purchase", kind="credit_percent", percent=TEN),
        ],
        DISCOUNT_WORDS,
        cap_count=10,
    )


MEMBER_WORDS: Final = {
    "headline": _("Come along with me"),
    "introduction": _(
        "One of our members thought of you. Have a look around: your discount is in the basket already."
    ),
    "share_message": _(
        "I am a member here and thought of you. With my link you pay less for your first order:"
    ),
    "small_print": _("Cannot be paid out in cash."),
}
STAFF_WORDS: Final = {
    "headline": _("Recommended by one of us"),
    "introduction": _(
        "Somebody who works here thought of you. Have a look around: your discount is in the basket already."
    ),
    "share_message": _("I work here and thought of you. With my link you pay less for your first order:"),
    "small_print": _("Cannot be paid out in cash."),
}


def _members() -> Audience:
    """Who they are the shop may say with a fact of its own; else those who come again."""
    if MEMBERSHIP in customer_facts:
        return unsaved_audience(gettext("Members"), MEMBERSHIP, {})
    return unsaved_audience(gettext("Regular customers"), "orders", {"orders_at_least": 3})


def _members_only() -> Program:
    return unsaved_program(
        gettext("Members only"),
        [
            _discount(FIFTEEN),
            ProgramRule(
                side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(TWENTY)
            ),
        ],
        MEMBER_WORDS,
        cap_count=10,
    )


def _lapsed() -> Audience:
    return unsaved_audience(
        gettext("Not seen for half a year"),
        "last_order",
        {"last_order_how": "before", "last_order_days": HALF_A_YEAR},
    )


def _win_back() -> Program:
    return unsaved_program(
        gettext("Win-back"),
        [
            _discount(FIFTEEN),
            ProgramRule(
                side=Side.ADVOCATE,
                trigger="first_purchase",
                kind="credit",
                amounts=everywhere(FIFTEEN),
                expires_days=90,
            ),
        ],
        DISCOUNT_WORDS,
        cap_count=3,
    )


def _staff() -> Audience:
    return unsaved_audience(gettext("Our team"), "staff", {})


def _staff_pick() -> Program:
    return unsaved_program(
        gettext("Staff pick"),
        [
            _discount(TWENTY),
            ProgramRule(side=Side.ADVOCATE, trigger="first_purchase", kind="credit", amounts=everywhere(TEN)),
        ],
        STAFF_WORDS,
        cap_count=5,
        cap_period=Program.Period.MONTH,
    )


def _empty() -> Program:
    return unsaved_program("", [], {})


_amount_label_lazy = lazy(amount_label, str)
_percent_lazy = lazy(credit.format_percent, str)


def _filled(template: Any, **parts: Any) -> Any:
    """A label that is put together when it is read, in the reader's language."""
    return lazy(lambda: str(template) % {name: str(part) for name, part in parts.items()}, str)()


for _preset in (
    Preset(
        "give_percent_get_credit",
        _filled(
            _("Give %(gift)s, get %(reward)s"), gift=_percent_lazy(TEN), reward=_amount_label_lazy(FIFTEEN)
        ),
        _("The classic one: the friend pays less for the first order, your customer gets credit for it."),
        "tag",
        _give_percent_get_credit,
    ),
    Preset(
        "credit_for_both",
        _("Give and get referral credit"),
        _(
            "Both get the same: the friend on opening an account, your customer after the friend's first order."
        ),
        "group",
        _credit_for_both,
    ),
    Preset(
        "percentage_back",
        _filled(
            _("%(gift)s off, %(reward)s back as credit"),
            gift=_percent_lazy(FIFTEEN),
            reward=_percent_lazy(TEN),
        ),
        _("What your customer gets grows with the friend's order, and shrinks with a refund."),
        "rotate",
        _percentage_back,
    ),
    Preset(
        "members_only",
        _("Members only"),
        _(
            "More for those who are close to you, and for their friends. It comes with an audience that you can change."
        ),
        "lock",
        _members_only,
        _members,
    ),
    Preset(
        "win_back",
        _("Win-back"),
        _(
            "For customers who have stayed away: a friend's order brings them credit, which ends, and so a reason to "
            "come back. Write to them about it: they will not see it in the shop."
        ),
        "history",
        _win_back,
        _lapsed,
    ),
    Preset(
        "staff_pick",
        _("Staff pick"),
        _(
            "Those who work for you recommend the shop themselves, with a bigger discount for whom they invite."
        ),
        "pick",
        _staff_pick,
        _staff,
    ),
    Preset("empty", _("An empty program"), _("Write every line yourself."), "doc-empty", _empty),
):
    presets.register(_preset)
