"""From a click on a share link to the durable proof of it: visits, the cookie that names them, claims."""

from wagtail_referrals.tracking.claims import (
    claim_is_open,
    claim_of_basket,
    create_claim,
    link_basket,
    open_claim_of,
)
from wagtail_referrals.tracking.cookie import Ticket, remember, token_for, visit_from_token
from wagtail_referrals.tracking.leads import (
    ADDRESSES_A_DAY,
    KEPT_DAYS,
    find_lead,
    forget_leads,
    forget_leads_of,
    is_one_too_many,
    keep_address,
    remove_address,
)
from wagtail_referrals.tracking.middleware import Arrival, ReferralMiddleware, arrival_of
from wagtail_referrals.tracking.robots import is_robot
from wagtail_referrals.tracking.shared_cache import (
    SharedCacheMiddleware,
    is_for_everybody,
    mark_for_everybody,
    may_be_shared,
)
from wagtail_referrals.tracking.shares import advocate_from_share_token, record_share, share_token
from wagtail_referrals.tracking.sites import find_site, site_id_for
from wagtail_referrals.tracking.visits import (
    CHANNELS,
    channel_from,
    record_visit,
    shown_terms_id,
    visits_by_channel,
)

__all__ = [
    "ADDRESSES_A_DAY",
    "CHANNELS",
    "KEPT_DAYS",
    "Arrival",
    "ReferralMiddleware",
    "SharedCacheMiddleware",
    "Ticket",
    "advocate_from_share_token",
    "arrival_of",
    "channel_from",
    "claim_is_open",
    "claim_of_basket",
    "create_claim",
    "find_lead",
    "find_site",
    "forget_leads",
    "forget_leads_of",
    "is_for_everybody",
    "is_one_too_many",
    "is_robot",
    "keep_address",
    "link_basket",
    "mark_for_everybody",
    "may_be_shared",
    "open_claim_of",
    "record_share",
    "record_visit",
    "remember",
    "remove_address",
    "share_token",
    "shown_terms_id",
    "site_id_for",
    "token_for",
    "visit_from_token",
    "visits_by_channel",
]
