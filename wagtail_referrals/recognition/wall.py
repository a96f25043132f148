"""The wall of thanks: advocates whom staff thank in public, once they have agreed, and as long as they do."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone, translation

from wagtail_referrals.kinds import in_language
from wagtail_referrals.people.models import Advocate
from wagtail_referrals.recognition.models import Featured


@dataclass(frozen=True)
class Thanks:
    """``text`` is in the language that was asked for, "" without one. ``picture``: a Wagtail image, or ``None``."""

    name: str
    text: str
    picture: Any
    since: datetime


def wall(language: str, size: int = 12) -> list[Thanks]:
    """Who has agreed and refers, the latest first. Two queries; one while there is nobody."""
    agreed = Featured.objects.filter(
        agreed_at__isnull=False, declined_at=None, advocate__state=Advocate.State.ACTIVE
    ).exclude(advocate__public_name="")
    found = agreed.select_related("advocate", "picture").prefetch_related("texts")[:size]
    with translation.override(language):
        return [
            Thanks(
                name=featured.advocate.public_name,
                text=words_of(featured),
                picture=featured.picture,
                since=featured.created_at,
            )
            for featured in found
        ]


def is_on_wall(featured: Featured) -> bool:
    """Do others see them there? As ``wall`` says it in its query."""
    advocate = featured.advocate
    return bool(
        featured.agreed_at is not None
        and featured.declined_at is None
        and advocate.state == Advocate.State.ACTIVE
        and advocate.public_name
    )


def words_of(featured: Featured) -> str:
    """What is said about the advocate, in the current language."""
    return in_language({text.language: text.text for text in featured.texts.all() if text.text})


def feature_of(advocate: Advocate) -> Featured | None:
    """What staff would like to say about the advocate, whatever the answer was; ``None`` when they were not asked."""
    return _of(advocate).select_related("picture").prefetch_related("texts").first()


def version_of(featured: Featured) -> str:
    """Of the words and the picture, so that nobody agrees to others than they have read."""
    texts = sorted((text.language, text.text) for text in featured.texts.all())
    return hashlib.sha256(repr((featured.picture_id, texts)).encode()).hexdigest()[:16]


def agree_to_feature(advocate: Advocate, *, version: str | None = None) -> bool:
    """The advocate may be named on the wall of thanks; whether they are from now on. Nothing happens to who was not
    asked, and to what is no longer the ``version`` that they have read.
    """
    with transaction.atomic():
        # Staff who change the words have the row first.
        featured = _of(advocate).select_for_update(no_key=True).filter(agreed_at=None).first()
        if featured is None or (version is not None and version != version_of(featured)):
            return False
        _of(advocate).update(agreed_at=timezone.now(), declined_at=None)
    return True


def decline_feature(advocate: Advocate) -> None:
    """The advocate does not want to be named there, or no longer."""
    _of(advocate).filter(declined_at=None).update(agreed_at=None, declined_at=timezone.now())


def _of(advocate: Advocate) -> QuerySet[Featured]:
    return Featured.objects.filter(advocate=advocate)
