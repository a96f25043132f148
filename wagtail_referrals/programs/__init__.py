"""Programs that editors write, and the terms that are promised from them."""

from wagtail_referrals.programs.audience_words import (
    audience_hints,
    audience_words,
    program_audience_hints,
)
from wagtail_referrals.programs.audiences import (
    Asked,
    AudienceData,
    AudienceRuleData,
    CustomerFact,
    audience_data,
    audience_rule_problems,
    customer_facts,
    customers_in,
    in_audience,
)
from wagtail_referrals.programs.difference import (
    Change,
    Section,
    count_differences,
    differences,
    language_name,
)
from wagtail_referrals.programs.names import program_names, programs_naming
from wagtail_referrals.programs.open import (
    OpenTerms,
    forget_open_terms,
    open_terms,
    pick_terms,
    site_of_offer,
)
from wagtail_referrals.programs.presets import Preset, presets
from wagtail_referrals.programs.problems import (
    forbidden_hints,
    friend_notes,
    program_hints,
    program_problems,
    rule_problems,
)
from wagtail_referrals.programs.states import ProgramState, program_states
from wagtail_referrals.programs.terms import TermsData, draft_data, heal_terms, parse, publish_terms
from wagtail_referrals.programs.versions import publishers, versions_in_force
from wagtail_referrals.programs.words import (
    advocate_gets,
    either_words,
    friend_gets,
    is_milestone,
    join_words,
    kept_gift,
    kept_gift_words,
    minimum_words,
    rule_gets,
    sentence,
)

__all__ = [
    "Asked",
    "AudienceData",
    "AudienceRuleData",
    "Change",
    "CustomerFact",
    "OpenTerms",
    "Preset",
    "ProgramState",
    "Section",
    "TermsData",
    "advocate_gets",
    "audience_data",
    "audience_hints",
    "audience_rule_problems",
    "audience_words",
    "count_differences",
    "customer_facts",
    "customers_in",
    "differences",
    "draft_data",
    "either_words",
    "forbidden_hints",
    "forget_open_terms",
    "friend_gets",
    "friend_notes",
    "heal_terms",
    "in_audience",
    "is_milestone",
    "join_words",
    "kept_gift",
    "kept_gift_words",
    "language_name",
    "minimum_words",
    "open_terms",
    "parse",
    "pick_terms",
    "presets",
    "program_audience_hints",
    "program_hints",
    "program_names",
    "program_problems",
    "program_states",
    "programs_naming",
    "publish_terms",
    "publishers",
    "rule_gets",
    "rule_problems",
    "sentence",
    "site_of_offer",
    "versions_in_force",
]
