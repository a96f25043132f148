"""What the engine tells its readers, always with ``send_robust``."""

from django.dispatch import Signal

# After the commit. referral: Referral, verdict: rewards.Verdict
referral_settled = Signal()
# Within settle's transaction, so that a reader's rows are never lost: write rows only, in a savepoint of your own.
# reward: Reward, delta: Decimal in reward.currency (negative: taken back), now: datetime, careful: bool, written
reward_changed = Signal()
# Within settle's transaction, under the advocate's lock, when a referral's state, the date on which it qualified or the
# facts of its orders have changed, or what its rewards come to: write rows only, in a savepoint of your own.
# referral: Referral, qualified_before: datetime | None, state_before: str, orders_changed: bool (their facts),
# purchases: all of its orders, rewards: all of its rewards, now: datetime, careful: bool, written
#
# Where settle is not ``careful``, a receiver needs no savepoint, and lets through what it cannot do: settle undoes all,
# and begins again, carefully. ``written``, a dict, belongs to the transaction, which may settle several referrals: a
# receiver notes there under a name of its own what it need not write twice, or writes at the end, with all the others.
referral_changed = Signal()
# Within settle's transaction, where that is not careful, when readers were told of all that it changes: what they have
# collected in ``written`` is to be written now. now: datetime, careful: False, written
all_told = Signal()
# When an order was attributed, within the transaction that did it, mostly the checkout's. purchase: Purchase,
# now: datetime; claim: Claim, where it was made along with it and is dated back to when the friend said who sent them
purchase_recorded = Signal()
# Who came by an invitation has opened an account, within the transaction that did it. referral: Referral, now: datetime
friend_registered = Signal()
# A discount that had to wait, as the shop gave none, can be used from now on, within the transaction that did it.
# grant: DiscountGrant, rule: Rule, now: datetime
discount_usable = Signal()
# Within the transaction that did it: a guest who refers has opened an account. advocate: Advocate
guest_adopted = Signal()
# Before the view of every request: a shop looks at the visitor's basket on some pages. What a receiver answers, an
# HttpResponse or None, is shown instead. It costs every page: ask the cheapest question first. request: HttpRequest
entering_view = Signal()
# Before a page is drawn that a shared cache keeps for everybody: a shop gives the request, of which nothing personal is
# left, what its templates cannot do without, as an empty basket. request: HttpRequest
drawing_for_nobody = Signal()
# At the start of a sweep: a shop makes up for what it missed. now: datetime
sweeping = Signal()
# At the end of a sweep, when everything that was due is settled. now: datetime; progress, what a long job tells how far
# it is, as (what, done, total), or None
swept = Signal()
