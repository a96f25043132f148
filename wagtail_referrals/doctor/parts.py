"""The examinations that every shop has, in the order in which they are done. What knows Oscar is registered by it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from importlib import import_module
from typing import TYPE_CHECKING

from django.utils.translation import gettext_lazy as _

from wagtail_referrals.doctor.findings import Examination, Finding, examinations

if TYPE_CHECKING:
    from wagtail_referrals.doctor.trial import Trial


def later(path: str) -> Callable[[Trial], Iterator[Finding]]:
    """The function that a dotted path names, imported when it is called: web processes never examine anybody."""

    def run(trial: Trial) -> Iterator[Finding]:
        module, _dot, name = path.rpartition(".")
        found: Iterator[Finding] = getattr(import_module(module), name)(trial)
        return found

    return run


def register_parts() -> None:
    here = __package__
    for examination in (
        Examination("ground", _("What it stands on"), later(f"{here}.ground.examine_ground")),
        Examination("sweep", _("The sweep"), later(f"{here}.ground.examine_sweep")),
        Examination("port", _("What the shop tells"), later(f"{here}.port.examine_port")),
        Examination("programs", _("What friends are offered"), later(f"{here}.offers.examine_programs")),
        Examination("link", _("The share link and its cookie"), later(f"{here}.link.examine_link")),
        Examination("pages", _("The shop's pages"), later(f"{here}.link.examine_pages")),
        Examination("invitation", _("The invitation"), later(f"{here}.link.examine_invitation")),
    ):
        examinations.register(examination)
