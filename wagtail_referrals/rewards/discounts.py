"""Discounts that were handed over: the friend's, tied to a claim, and rewards that are discounts.

offered -> issued -> used -> (void). A code that is void here stays void, whatever the shop's own voucher row says.
Where only the person stood against it, another person behind the same invitation gets another code.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils import timezone

from wagtail_referrals import signals
from wagtail_referrals.kinds import DiscountRequest, Rule, reward_kinds, triggers
from wagtail_referrals.people import email_key, email_of_account
from wagtail_referrals.programs import TermsData, kept_gift, parse
from wagtail_referrals.referrals import get_shop, mark_due, referrals_of, timeline
from wagtail_referrals.referrals.models import Referral, TimelineEvent
from wagtail_referrals.rewards.models import DiscountGrant, Reward
from wagtail_referrals.tracking.models import Claim, ClaimBasket

logger = logging.getLogger("wagtail_referrals")

ALIVE = (DiscountGrant.State.OFFERED, DiscountGrant.State.ISSUED)
# Reasons that speak of the person, and may be gone when they correct their address.
PERSONAL = ("own_link", "existing_customer", "used")
# The reason of a discount given again, once the order that had seemed never to happen is there after all.
ORDER_STANDS = "order_stands"


def arrival_discounts(terms: TermsData) -> list[Rule]:
    """Rules that put a discount into the friend's basket."""
    return [
        rule
        for rule in terms.friend_rules
        if rule.trigger in triggers
        and triggers.get(rule.trigger).on == "arrival"
        and rule.kind in reward_kinds
        and reward_kinds.get(rule.kind).is_discount
    ]


def active_discounts(claim: Claim) -> list[DiscountGrant]:
    """What of this claim can be used in the basket now."""
    return list(claim.discounts.filter(state=DiscountGrant.State.ISSUED))


def claim_with_discount(user: Any) -> Claim | None:
    """The claim from which this customer has a discount to use."""
    grant = (
        DiscountGrant.objects.filter(user=user, state=DiscountGrant.State.ISSUED, claim__isnull=False)
        .select_related("claim__terms", "claim__advocate")
        .order_by("-created_at")
        .first()
    )
    return grant.claim if grant is not None else None


def discount_by_code(code: str) -> DiscountGrant | None:
    """The grant behind one of the shop's voucher codes."""
    if not code:
        return None
    return DiscountGrant.objects.filter(code=code).select_related("claim", "terms").first()


def withdrawn_codes(codes: Iterable[str]) -> list[str]:
    """Which of these codes are of discounts that were withdrawn. One query."""
    void = DiscountGrant.objects.filter(code__in=list(codes), state=DiscountGrant.State.VOID)
    return list(void.values_list("code", flat=True))


def discount_refusal(
    grant: DiscountGrant, *, user_id: Any, basket_reference: str, now: datetime | None = None
) -> str | None:
    """Why this basket may not use the discount (a reason code), ``None`` when it may."""
    if grant.state == DiscountGrant.State.VOID:
        return grant.reason or "revoked"
    if grant.state == DiscountGrant.State.USED:
        return "used"
    if grant.state == DiscountGrant.State.OFFERED:
        return "waits"
    if grant.expires_at is not None and (now or timezone.now()) > grant.expires_at:
        return "lapsed"
    if grant.user_id is not None:
        return None if grant.user_id == user_id else "other_person"
    if grant.claim_id is None:
        return "other_person"
    mine = ClaimBasket.objects.filter(basket_reference=basket_reference, claim_id=grant.claim_id).exists()
    return None if mine else "other_person"


def minimum_to_use(rule: Rule) -> dict[str, Decimal]:
    """What an order that uses the discount must come to, by currency.

    A reward for a friend's order has its minimum behind it: that order met it. Whoever earned it uses it as they like.
    """
    earned = rule.trigger in triggers and triggers.get(rule.trigger).on in ("purchase", "tier")
    return {} if earned else dict(rule.minimum_spend)


def _issue(grant: DiscountGrant, rule: Rule) -> bool:
    """Ask the shop to make it usable. ``False`` where it gives no discounts at present: the grant waits as offered."""
    grant.code = get_shop().issue_discount(
        DiscountRequest(
            reference=f"discount:{grant.token}",
            kind=rule.kind,
            percent=rule.percent,
            amounts=dict(rule.amounts),
            minimum_spend=minimum_to_use(rule),
            expires_at=grant.expires_at,
            options=dict(rule.options),
        )
    )
    grant.state = DiscountGrant.State.ISSUED if grant.code else DiscountGrant.State.OFFERED
    grant.save(update_fields=["code", "state"])
    return bool(grant.code)


def issue_waiting(*, claim: Claim | None = None, now: datetime | None = None) -> list[DiscountGrant]:
    """Make usable what was promised while the shop gave no discounts; of one claim, or all. Those that are it now.

    At once from two processes, or after one that died, each is issued once: the shop answers with the same code. The
    friend's discount ends with the invitation; the time of a reward begins when it can be used.
    """
    moment = now or timezone.now()
    waiting = DiscountGrant.objects.filter(state=DiscountGrant.State.OFFERED)
    waiting = waiting.exclude(claim__isnull=False, expires_at__lt=moment)
    if claim is not None:
        waiting = waiting.filter(claim=claim)
    issued = []
    for pk in list(waiting.order_by("created_at", "pk").values_list("pk", flat=True)):
        try:
            grant = _issue_one(pk, moment)
        except Exception:
            # The others need not wait for it.
            logger.exception("Discount %s could not be issued; the next sweep will try again.", pk)
            continue
        if grant is None:
            continue
        if not grant.code:
            # The shop still gives none.
            break
        issued.append(grant)
    return issued


def _issue_one(pk: int, now: datetime) -> DiscountGrant | None:
    """``None`` where another process was faster, or this site does not know the rule's kind at present."""
    with transaction.atomic():
        grant = (
            DiscountGrant.objects.select_for_update(no_key=True, of=("self",))
            .select_related("terms", "claim", "reward__referral")
            .filter(pk=pk, state=DiscountGrant.State.OFFERED)
            .first()
        )
        rule = parse(grant.terms).rule(str(grant.rule_key)) if grant is not None else None
        if grant is None or rule is None or rule.kind not in reward_kinds:
            return None
        if grant.reward_id is not None and rule.expires_days:
            grant.expires_at = now + timedelta(days=rule.expires_days)
            grant.save(update_fields=["expires_at"])
        if _issue(grant, rule):
            _record_issued(grant, rule, now)
            signals.discount_usable.send_robust(sender=DiscountGrant, grant=grant, rule=rule, now=now)
    return grant


def _record_issued(grant: DiscountGrant, rule: Rule, now: datetime) -> None:
    """Put into the timeline that the friend, or the customer, has it now; or that it waits."""
    waits = grant.state == DiscountGrant.State.OFFERED
    if grant.reward is not None:
        kind = "reward_waits" if waits else "reward_usable"
        data: dict[str, Any] = {"side": grant.reward.side, "gift": kept_gift(rule)}
    else:
        kind = "discount_waits" if waits else "discount_again" if grant.issue else "discount_issued"
        data = {"gift": kept_gift(rule)}
    timeline.record(
        kind,
        claim=grant.claim,
        referral=grant.reward.referral if grant.reward is not None else None,
        data=data,
        key=f"discount_waits:{grant.pk}:{grant.token}" if waits else f"discount:{grant.pk}:{grant.token}",
        now=now,
    )


def offer_discounts(claim: Claim, terms: TermsData, *, issue: int = 0, now: datetime) -> list[DiscountGrant]:
    """Create and issue the friend's discounts of this claim. Inside a transaction; twice is once."""
    made = []
    for rule in arrival_discounts(terms):
        grant, created = DiscountGrant.objects.get_or_create(
            claim=claim,
            rule_key=rule.key,
            issue=issue,
            defaults={
                "terms_id": claim.terms_id,
                "kind": rule.kind,
                "user": claim.user,
                "email_hash": claim.email_hash,
                "created_at": now,
                "expires_at": claim.expires_at
                if issue == 0
                else max(claim.expires_at, now + timedelta(days=terms.window_days)),
            },
        )
        if created:
            _issue(grant, rule)
            _record_issued(grant, rule, now)
        made.append(grant)
    return made


def offer_again(claim: Claim, terms: TermsData, *, reference: str, now: datetime) -> list[DiscountGrant]:
    """The order that used the discounts was cancelled before delivery: the friend has them again, once.

    Those that were withdrawn because the order had come back, unused, are given anew: with a new code.
    """
    used = claim.discounts.filter(state=DiscountGrant.State.USED, used_reference=reference, issue=0)
    if not used.exists():
        return []
    again = list(claim.discounts.filter(issue=1))
    if not again:
        return offer_discounts(claim, terms, issue=1, now=now)
    rules = {rule.key: rule for rule in arrival_discounts(terms)}
    made = []
    for grant in again:
        rule = rules.get(str(grant.rule_key))
        if rule is None or (grant.state, grant.reason) != (DiscountGrant.State.VOID, ORDER_STANDS):
            continue
        if grant.code and get_shop().void_discount(grant.code):
            # An order with the old code is being paid for at this moment.
            continue
        grant.token, grant.code, grant.reason = DiscountGrant._meta.get_field("token").get_default(), "", ""
        grant.expires_at = max(claim.expires_at, now + timedelta(days=terms.window_days))
        grant.save(update_fields=["token", "code", "reason", "expires_at"])
        _issue(grant, rule)
        timeline.record(
            "discount_again" if grant.code else "discount_waits",
            claim=claim,
            data={"gift": kept_gift(rule)},
            key=f"discount_again:{grant.token}",
            now=now,
        )
        made.append(grant)
    return made


def withdraw(grants: Iterable[DiscountGrant], reason: str, *, now: datetime) -> list[DiscountGrant]:
    """Make discounts unusable for good; those that were usable until now."""
    gone = []
    for grant in grants:
        changed = DiscountGrant.objects.filter(pk=grant.pk, state__in=ALIVE).update(
            state=DiscountGrant.State.VOID, reason=reason
        )
        if not changed:
            continue
        if not grant.code:
            # One that waited may have been issued since it was read.
            grant.refresh_from_db(fields=["code"])
        grant.state, grant.reason = DiscountGrant.State.VOID, reason
        if grant.code:
            get_shop().void_discount(grant.code)
        timeline.record(
            "discount_withdrawn",
            claim=grant.claim,
            referral=grant.reward.referral if grant.reward is not None else None,
            data={"reason": reason},
            key=f"discount_withdrawn:{grant.token}",
            now=now,
        )
        gone.append(grant)
    return gone


def _reopen(claim: Claim, terms: TermsData, *, user: Any, email_hash: str, now: datetime) -> None:
    """Give the discounts that were withdrawn because of the person, to the person who is known now: with a new code.

    Not what is bound to another account, nor while an order with the old code is being paid for. Inside a transaction;
    of two at once, one does it.
    """
    if not Claim.objects.filter(pk=claim.pk, state=Claim.State.OPEN).exists():
        return
    rules = {rule.key: rule for rule in arrival_discounts(terms)}
    for grant in claim.discounts.filter(state=DiscountGrant.State.VOID, reason__in=PERSONAL):
        rule = rules.get(str(grant.rule_key))
        if rule is None or (grant.expires_at is not None and now > grant.expires_at):
            continue
        if grant.user_id is not None and (user is None or user.pk != grant.user_id):
            continue
        if grant.code and get_shop().void_discount(grant.code):
            continue
        token = DiscountGrant._meta.get_field("token").get_default()
        same = DiscountGrant.objects.filter(pk=grant.pk, token=grant.token, state=DiscountGrant.State.VOID)
        if not same.update(
            token=token,
            state=DiscountGrant.State.OFFERED,
            reason="",
            code="",
            user=user,
            email_hash=email_hash or grant.email_hash,
        ):
            continue
        grant.refresh_from_db()
        _issue(grant, rule)
        timeline.record(
            "discount_reopened" if grant.code else "discount_waits",
            claim=claim,
            data={"gift": kept_gift(rule)},
            key=f"discount_reopened:{token}",
            now=now,
        )


def person_refusal(claim: Claim, terms: TermsData, *, user: Any, email: str) -> str | None:
    """Why this person cannot have the friend's discount, as a reason code; ``None`` when they can."""
    if user is not None and user.pk == claim.advocate.user_id:
        return "own_link"
    key = email_key(email or email_of_account(user))
    if key and key in {claim.advocate.email_hash, email_key(email_of_account(claim.advocate.user))}:
        return "own_link"
    if any(
        referral.program_key == claim.terms.program_key and referral.claim_id != claim.pk
        for referral in referrals_of(user, email)
    ):
        return "used"
    if terms.new_customers_only and get_shop().was_customer(user=user, email=email, excluding=None):
        return "existing_customer"
    return None


def bind_person(
    claim: Claim, *, user: Any = None, email: str = "", now: datetime | None = None
) -> list[DiscountGrant]:
    """The person behind the claim is known now: by account, or by the address of a guest checkout.

    Their discounts become personal; or, when the person cannot have them (a customer already, the referrer
    themselves), are withdrawn: those are returned, with the reason. Called again for another address, it judges anew:
    what was withdrawn because of the person before is given to this one.
    """
    moment = now or timezone.now()
    with transaction.atomic():
        alive = list(claim.discounts.filter(state__in=ALIVE).select_related("claim", "reward"))
        reason = person_refusal(claim, parse(claim.terms), user=user, email=email)
        if reason is not None:
            # The address given before is not theirs: should they come back to it, it is judged again.
            Claim.objects.filter(pk=claim.pk).exclude(email_hash="").update(email_hash="")
            return withdraw(alive, reason, now=moment)
        key = email_key(email)
        if user is not None or key:
            _reopen(claim, parse(claim.terms), user=user, email_hash=key, now=moment)
        if user is not None:
            claim.discounts.filter(state__in=ALIVE).update(user=user)
            Claim.objects.filter(pk=claim.pk, user=None).update(user=user)
        if key and claim.email_hash != key:
            claim.discounts.filter(state__in=ALIVE).update(email_hash=key)
            Claim.objects.filter(pk=claim.pk).update(email_hash=key)
    return []


def grants_of_codes(codes: Iterable[str], **questions: Any) -> list[DiscountGrant]:
    """The grants behind some of the shop's voucher codes, with claim and terms; codes that are not ours are passed
    over. ``questions`` are answered on each of them, as by ``annotate``. One query.
    """
    grants = DiscountGrant.objects.filter(code__in=list(codes)).exclude(code="")
    return list(
        grants.select_related("claim__terms", "reward__referral").annotate(**questions).order_by("pk")
    )


def mark_discounts_used(
    grants: Iterable[DiscountGrant],
    amounts: Mapping[str, Decimal],
    *,
    reference: str,
    currency: str,
    now: datetime,
) -> list[TimelineEvent]:
    """The order used these discounts, each worth so much by its code, in ``currency``. What is to be written about it
    in the timeline.
    """
    events = []
    rewarded = set()
    for grant in grants:
        # The order has it, also where it was withdrawn while it was being paid for.
        changed = DiscountGrant.objects.filter(~Q(state=DiscountGrant.State.USED), pk=grant.pk).update(
            state=DiscountGrant.State.USED,
            used_reference=reference,
            used_amount=amounts[grant.code],
            used_currency=currency,
        )
        if not changed:
            continue
        data: dict[str, Any] = {
            "reference": reference,
            "amount": str(amounts[grant.code]),
            "currency": currency,
        }
        if grant.reward is not None:
            rewarded.add(grant.reward.referral_id)
            data["side"] = grant.reward.side
        events.append(
            timeline.event(
                "discount_used" if grant.reward is None else "reward_used",
                claim=grant.claim,
                referral=grant.reward.referral if grant.reward is not None else None,
                data=data,
                key=f"discount_used:{grant.pk}:{grant.token}",
                now=now,
            )
        )
    if rewarded:
        # It counts in the budget from now on, and can no longer be taken back.
        mark_due(rewarded, now=now)
    return events


def with_use(rewards: QuerySet[Reward]) -> QuerySet[Reward]:
    """Each with ``was_used``: it is a discount, and an order has it."""
    used = DiscountGrant.objects.filter(reward=OuterRef("pk"), state=DiscountGrant.State.USED)
    return rewards.annotate(was_used=Exists(used))


def used_discounts(referrals: Iterable[Referral]) -> QuerySet[DiscountGrant]:
    """The discounts of these referrals that orders have: the friends' own, and rewards."""
    theirs = list(referrals)
    return DiscountGrant.objects.filter(
        Q(claim__in=[referral.claim_id for referral in theirs]) | Q(reward__referral__in=theirs),
        state=DiscountGrant.State.USED,
    )


def rewards_discounts(terms: TermsData) -> bool:
    """Can a reward under these terms be a discount? The friend's, which comes with the claim, is none."""
    arrival = arrival_discounts(terms)
    return any(
        rule not in arrival and rule.kind in reward_kinds and reward_kinds.get(rule.kind).is_discount
        for rule in terms.rules
    )


def usable_rewards(user: Any, *, now: datetime | None = None) -> list[DiscountGrant]:
    """Rewards of this customer that are discounts and have not been used yet, the newest first. One query.

    One that waits until the shop gives discounts has no code yet.
    """
    moment = now or timezone.now()
    waits = Q(state=DiscountGrant.State.OFFERED)
    return list(
        DiscountGrant.objects.filter(user=user, state__in=ALIVE, reward__isnull=False)
        .filter(Q(expires_at=None) | Q(expires_at__gte=moment) | waits)
        .select_related("terms", "reward")
        .order_by("-created_at", "-pk")
    )


def reward_by_token(user: Any, token: UUID) -> DiscountGrant | None:
    """The reward of this customer that is the discount with this token."""
    grants = DiscountGrant.objects.filter(user=user, token=token, reward__isnull=False)
    return grants.select_related("claim", "terms").first()


def follow_orders(referral: Referral, *, now: datetime) -> None:
    """A reward whose order was cancelled before delivery is there to use again, once; until that order comes back.

    Inside a transaction, with the referral locked. One query where no order has used a reward of it.
    """
    used = list(
        DiscountGrant.objects.filter(reward__referral=referral)
        .exclude(used_reference="")
        .filter(Q(state=DiscountGrant.State.USED, issue=0) | Q(state__in=ALIVE, issue=1))
        .select_related("terms", "claim", "reward__referral")
    )
    facts = get_shop().facts(sorted({grant.used_reference for grant in used})) if used else {}
    for grant in used:
        order = facts.get(grant.used_reference)
        if order is None:
            continue
        never = order.cancelled and order.shipped_at is None
        if never and grant.state == DiscountGrant.State.USED:
            _give_again(grant, now)
        elif not never and grant.state in ALIVE:
            if grant.code:
                get_shop().void_discount(grant.code)
            grant.state, grant.issue = DiscountGrant.State.USED, 0
            grant.save(update_fields=["state", "issue"])


def _give_again(grant: DiscountGrant, now: datetime) -> None:
    terms = parse(grant.terms)
    rule = terms.rule(str(grant.rule_key))
    if rule is None or rule.kind not in reward_kinds:
        return
    grant.issue, grant.code = 1, ""
    grant.token = DiscountGrant._meta.get_field("token").get_default()
    if grant.expires_at is not None:
        # The time that the order took away.
        grant.expires_at = max(grant.expires_at, now + timedelta(days=min(terms.window_days, 30)))
    grant.save(update_fields=["issue", "code", "token", "expires_at"])
    _issue(grant, rule)
    timeline.record(
        "reward_again",
        referral=grant.reward.referral if grant.reward is not None else None,
        data={
            "side": grant.reward.side if grant.reward is not None else "",
            "gift": kept_gift(rule),
            "reference": grant.used_reference,
        },
        key=f"reward_again:{grant.token}",
        now=now,
    )
    if not grant.code:
        _record_issued(grant, rule, now)


def give_discount(reward: Reward, rule: Rule, *, now: datetime) -> None:
    """Hand over a reward that is a discount: a personal voucher of the customer."""
    expires_at = now + timedelta(days=rule.expires_days) if rule.expires_days else None
    grant, created = DiscountGrant.objects.get_or_create(
        reward=reward,
        defaults={
            "terms_id": reward.terms_id,
            "rule_key": reward.rule_key,
            "kind": rule.kind,
            "user": reward.user,
            "created_at": now,
            "expires_at": expires_at,
        },
    )
    if created or grant.state == DiscountGrant.State.VOID:
        # Given, taken back and given again: a new voucher, as the old one stays void.
        if not created:
            grant.reason, grant.code = "", ""
            grant.token = DiscountGrant._meta.get_field("token").get_default()
            # Its time begins anew: else it might have ended before it is given.
            grant.expires_at = expires_at
            grant.save(update_fields=["reason", "code", "token", "expires_at"])
        if not _issue(grant, rule):
            _record_issued(grant, rule, now)


def take_discount_back(reward: Reward, reason: str, *, now: datetime) -> bool:
    """Withdraw it; ``False`` when it was used already."""
    grants: Sequence[DiscountGrant] = list(
        DiscountGrant.objects.filter(reward=reward).select_related("claim", "reward__referral")
    )
    withdraw(grants, reason, now=now)
    return not DiscountGrant.objects.filter(reward=reward, state=DiscountGrant.State.USED).exists()
