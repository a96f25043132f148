"""Where something went wrong, without what was in it: the type of the error and the module, never its text."""

from __future__ import annotations

import os
import sysconfig
import traceback
from typing import Final

import django
from django.utils.translation import gettext as _

from wagtail_referrals.doctor.findings import Finding, broken, look
from wagtail_referrals.doctor.undone import CallRefused

_DJANGO: Final = os.path.dirname(django.__file__)
_PYTHON: Final = sysconfig.get_paths()["stdlib"]


def _is_machinery(path: str) -> bool:
    """Django's or Python's own code, in which the cause is seldom."""
    installed = "site-packages" in path or "dist-packages" in path
    return path.startswith((_DJANGO, "<")) or (path.startswith(_PYTHON) and not installed)


def place_of(error: BaseException) -> str:
    """ "shop.views, line 57": the innermost code that is neither Django's nor Python's."""
    frames = [
        (frame.f_code.co_filename, frame.f_globals.get("__name__", "?"), number)
        for frame, number in traceback.walk_tb(error.__traceback__)
    ]
    if not frames:
        return _("an unknown place")
    own = [frame for frame in frames if not _is_machinery(frame[0])] or frames
    _path, module, number = own[-1]
    return _("%(module)s, line %(number)s") % {"module": module, "number": number}


def refused_call(error: BaseException | None) -> CallRefused | None:
    """The call to the outside that was not let through, if that is what the error came from."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, CallRefused):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def crash(error: BaseException, what: str = "", mend: str = "") -> Finding:
    """The finding about an error. ``what`` says in a sentence without a full stop what failed by it."""
    values = {"what": what or _("This could not be tried"), "error": type(error).__name__}
    values["place"] = place_of(error)
    if type(error.__cause__).__name__ == "LockNotAvailable":
        return look(
            _("%(what)s: somebody else had the row for too long (%(place)s).") % values,
            _("Ask the doctor again at a quieter moment."),
        )
    if refused_call(error) is not None:
        return look(
            _(
                "%(what)s: the shop wanted to call another machine (%(error)s in %(place)s). Nothing leaves while the "
                "doctor tries, so this is not known."
            )
            % values,
            _(
                "Call other machines after the commit (transaction.on_commit): an order must not wait for them."
            ),
        )
    return broken(
        _("%(what)s: %(error)s in %(place)s.") % values,
        mend or _("Look at that line of code; the same happens to customers."),
    )
