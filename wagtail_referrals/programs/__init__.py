"""Programs that editors write, and the terms that are promised from them."""

from wagtail_referrals.programs.names import program_names
from wagtail_referrals.programs.open import OpenTerms, forget_open_terms, open_terms, pick_terms
from wagtail_referrals.programs.presets import Preset, presets
from wagtail_referrals.programs.problems import program_hints, program_problems, rule_problems
from wagtail_referrals.programs.states import ProgramState, program_states
from wagtail_referrals.programs.terms import TermsData, draft_data, heal_terms, parse, publish_terms
from wagtail_referrals.programs.words import (
    advocate_gets,
    friend_gets,
    join_words,
    kept_gift,
    kept_gift_words,
    minimum_words,
    rule_gets,
    sentence,
)

__all__ = [
    "OpenTerms",
    "Preset",
    "ProgramState",
    "TermsData",
    "advocate_gets",
    "draft_data",
    "forget_open_terms",
    "friend_gets",
    "heal_terms",
    "join_words",
    "kept_gift",
    "kept_gift_words",
    "minimum_words",
    "open_terms",
    "parse",
    "pick_terms",
    "presets",
    "program_hints",
    "program_names",
    "program_problems",
    "program_states",
    "publish_terms",
    "rule_gets",
    "rule_problems",
    "sentence",
]
