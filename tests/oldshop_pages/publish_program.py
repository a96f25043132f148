"""Inside the adopted shop: publish a ready-made program, and give the customer of the walk some credit."""

from __future__ import annotations

import json
import os
import sys
from decimal import Decimal

sys.path.insert(0, os.getcwd())

import django


def main() -> None:
    wishes = json.load(sys.stdin)
    django.setup()
    from django.contrib.auth import get_user_model

    from wagtail_referrals import credit
    from wagtail_referrals.programs import presets

    users = get_user_model().objects
    program = presets.get("give_percent_get_credit").build()
    program.live = False
    program.save()
    program.save_revision(user=users.get(email="office@shop.example")).publish()
    customer = users.get(email=wishes["customer"])
    credit.grant(user=customer, currency="CHF", amount=Decimal(wishes["credit"]), key="walk")
    json.dump({"program": str(program), "live": program.live}, sys.stdout)


if __name__ == "__main__":
    main()
