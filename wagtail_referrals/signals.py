"""What the engine tells its readers, always with ``send_robust``."""

from django.dispatch import Signal

# After the commit. referral: Referral, verdict: rewards.Verdict
referral_settled = Signal()
# Within settle's transaction, so that a reader's rows are never lost: write rows only, in a savepoint of your own.
# reward: Reward, delta: Decimal in reward.currency (negative: taken back), now: datetime
reward_changed = Signal()
# When an order was attributed, within the checkout's transaction. purchase: Purchase
purchase_recorded = Signal()
# Within the transaction that did it: a guest who refers has opened an account. advocate: Advocate
guest_adopted = Signal()
# Before the view of every request: a shop looks at the visitor's basket on some pages. What a receiver answers, an
# HttpResponse or None, is shown instead. It costs every page: ask the cheapest question first. request: HttpRequest
entering_view = Signal()
# At the start of a sweep: a shop makes up for what it missed. now: datetime
sweeping = Signal()
