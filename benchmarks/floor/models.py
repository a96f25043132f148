"""An account and its movements: no lots, no reservations, no keys, nothing to do twice safely."""

from decimal import Decimal

from django.db import models, transaction


class FloorAccount(models.Model):
    owner = models.CharField(max_length=20, unique=True)
    balance = models.DecimalField(max_digits=12, decimal_places=2)


class FloorEntry(models.Model):
    account = models.ForeignKey(FloorAccount, on_delete=models.PROTECT)
    amount = models.DecimalField(max_digits=12, decimal_places=2)
    created_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["account", "-created_at", "-id"], name="floor_history")]


def debit(owner: str, amount: Decimal, shop: FloorAccount, now: object) -> None:
    """A row lock, two INSERTs and one UPDATE in a transaction. Raises ``ValueError`` beyond the balance."""
    with transaction.atomic():
        account = FloorAccount.objects.select_for_update(no_key=True).get(owner=owner)
        if account.balance < amount:
            raise ValueError("Not that much is there.")
        FloorEntry.objects.create(account=account, amount=-amount, created_at=now)
        FloorEntry.objects.create(account=shop, amount=amount, created_at=now)
        FloorAccount.objects.filter(pk=account.pk).update(balance=account.balance - amount)
