"""The smallest shop: baskets, orders and vouchers, each one row."""

import uuid

from django.conf import settings
from django.db import models


def new_code():
    return uuid.uuid4().hex[:12]


class Basket(models.Model):
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    vouchers = models.JSONField(default=list)


class Voucher(models.Model):
    reference = models.CharField(max_length=100, unique=True)
    code = models.CharField(max_length=40, unique=True, default=new_code)
    percent = models.DecimalField(max_digits=5, decimal_places=2, null=True)
    amount = models.DecimalField(max_digits=12, decimal_places=2, null=True)
    void = models.BooleanField(default=False)


class Donation(models.Model):
    key = models.CharField(max_length=64, unique=True)
    currency = models.CharField(max_length=12)
    amount = models.DecimalField(max_digits=12, decimal_places=2)  # negative: taken back


class Order(models.Model):
    number = models.CharField(max_length=20, unique=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL)
    email = models.EmailField()
    address = models.CharField(max_length=100, blank=True)
    goods = models.DecimalField(max_digits=12, decimal_places=2)
    shipping = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    discount = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    paid_by_credit = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    paid_by_card = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    # What was given back without saying of which line; and by kind of goods.
    refunded = models.DecimalField(max_digits=12, decimal_places=2, default=0)
    refunded_lines = models.JSONField(default=dict)
    # What was bought, {kind of goods: price after discounts, as text}.
    lines = models.JSONField(default=dict)
    placed_at = models.DateTimeField()
    paid_at = models.DateTimeField(null=True)
    shipped_at = models.DateTimeField(null=True)
    cancelled = models.BooleanField(default=False)
