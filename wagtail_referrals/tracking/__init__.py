"""From a click on a share link to the durable proof of it: visits, the cookie that names them, claims."""

from wagtail_referrals.tracking.claims import (
    claim_is_open,
    claim_of_basket,
    create_claim,
    link_basket,
    open_claim_of,
)
from wagtail_referrals.tracking.cookie import Ticket, remember, token_for, visit_from_token
from wagtail_referrals.tracking.middleware import Arrival, ReferralMiddleware, arrival_of
from wagtail_referrals.tracking.robots import is_robot
from wagtail_referrals.tracking.sites import find_site, site_id_for
from wagtail_referrals.tracking.visits import CHANNELS, channel_from, record_visit, shown_terms_id

__all__ = [
    "CHANNELS",
    "Arrival",
    "ReferralMiddleware",
    "Ticket",
    "arrival_of",
    "channel_from",
    "claim_is_open",
    "claim_of_basket",
    "create_claim",
    "find_site",
    "is_robot",
    "link_basket",
    "open_claim_of",
    "record_visit",
    "remember",
    "shown_terms_id",
    "site_id_for",
    "token_for",
    "visit_from_token",
]
