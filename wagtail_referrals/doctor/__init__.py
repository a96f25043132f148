"""The doctor: tries the real thing in this very project, in a transaction that is rolled back, and says how it went.

An app adds an examination of its own from its ``AppConfig.ready()``::

    doctor.examinations.register(doctor.Examination("donations", _("Donations"), examine_donations))

``examine_donations(trial)`` yields ``doctor.fine(...)``, ``doctor.look(...)`` or ``doctor.broken(...)``.
"""

from wagtail_referrals.doctor.browser import Answer, Browser
from wagtail_referrals.doctor.findings import (
    Examination,
    Finding,
    NotTried,
    Verdict,
    broken,
    examinations,
    fine,
    look,
    not_tried,
    off,
)
from wagtail_referrals.doctor.link import marks_of
from wagtail_referrals.doctor.parts import later, register_parts
from wagtail_referrals.doctor.places import crash, place_of
from wagtail_referrals.doctor.rounds import Round, examine
from wagtail_referrals.doctor.trial import Trial, filled
from wagtail_referrals.doctor.undone import CallRefused, CannotUndo, Withheld

register_parts()

__all__ = [
    "Answer",
    "Browser",
    "CallRefused",
    "CannotUndo",
    "Examination",
    "Finding",
    "NotTried",
    "Round",
    "Trial",
    "Verdict",
    "Withheld",
    "broken",
    "crash",
    "examinations",
    "examine",
    "filled",
    "fine",
    "later",
    "look",
    "marks_of",
    "not_tried",
    "off",
    "place_of",
]
