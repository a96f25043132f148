"""The customer's own pages: "Refer a friend" with their link, friends, rewards and choices."""

from wagtail_referrals.site.account.choices import NameForm
from wagtail_referrals.site.account.friends import friends_of, why_words
from wagtail_referrals.site.account.rewards import Balance, balance_of, balances_in_short, ending_words

__all__ = [
    "Balance",
    "NameForm",
    "balance_of",
    "balances_in_short",
    "ending_words",
    "friends_of",
    "why_words",
]
