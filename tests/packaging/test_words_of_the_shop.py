"""Our French never replaces the shop's: where Django or Oscar has words for a text, ours are the same words.

Django gives one text one translation, whoever asks. Oscar's French is even asked last, behind that of every app in the
project: beside its folder ``fr`` it has an empty ``fr_FR``, and Python makes ``fr`` the fallback of that. A text that
needs other words of ours has a context.
"""

from pathlib import Path

import django
import oscar
import pytest
from babel.messages.mofile import read_mo

from tools import messages


def _words(folder: Path) -> dict[str, str]:
    """French of the texts without a context and without a plural."""
    with (folder / "locale" / "fr" / "LC_MESSAGES" / "django.mo").open("rb") as handle:
        return {m.id: m.string for m in read_mo(handle) if isinstance(m.id, str) and m.id and not m.context}


@pytest.mark.parametrize("package", ["wagtail_referrals", "oscar_integration"])
@pytest.mark.parametrize(
    "theirs", [Path(django.__path__[0], "conf"), Path(oscar.__path__[0])], ids=["django", "oscar"]
)
def test_words_of_others_stay_theirs(package, theirs):
    ours, others = _words(messages.ROOT / package), _words(theirs)
    assert {text: ours[text] for text in ours if text in others} == {
        text: others[text] for text in others if text in ours
    }
