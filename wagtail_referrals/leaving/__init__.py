"""Leaving: what has to be done in a shop's database before the package can be taken out of it.

Each step says what is in its way and what it would do, and does it. All of them may be done again: what is done
already is not there any more, so a run that was killed is simply repeated. An app adds a step of its own from its
``AppConfig.ready()``::

    leaving.steps.register(Donations())
"""

from wagtail_referrals.leaving.owed import Owed, WhatIsOwed, owed, write_owed
from wagtail_referrals.leaving.parts import Pages, register_parts
from wagtail_referrals.leaving.steps import NotDone, Say, Step, steps, tables_are_there

register_parts()

__all__ = [
    "NotDone",
    "Owed",
    "Pages",
    "Say",
    "Step",
    "WhatIsOwed",
    "owed",
    "steps",
    "tables_are_there",
    "write_owed",
]
