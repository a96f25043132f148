"""What the models let editors choose from: asked when a form is drawn, so that migrations name nothing of it."""

from __future__ import annotations

from typing import Any


def kind_choices() -> list[tuple[str, Any]]:
    from wagtail_referrals.messages.kinds import message_kinds

    return message_kinds.choices()


def channel_choices() -> list[tuple[str, Any]]:
    from wagtail_referrals.messages.channels import channels

    return channels.choices()


def start_choices() -> list[tuple[str, Any]]:
    from wagtail_referrals.messages.sequencing import starts

    return starts.choices()


def condition_choices() -> list[tuple[str, Any]]:
    from wagtail_referrals.messages.sequencing import conditions

    return conditions.choices()


def moment_choices() -> list[tuple[str, Any]]:
    from wagtail_referrals.messages.sequencing import moments

    return moments.choices()
