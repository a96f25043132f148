"""What the engine tells its readers. Sent with ``send_robust`` once the transaction has committed."""

from django.dispatch import Signal

# referral: Referral, verdict: rewards.Verdict
referral_settled = Signal()
# reward: Reward, delta: Decimal in reward.currency (negative: taken back)
reward_changed = Signal()
# purchase: Purchase
purchase_recorded = Signal()
