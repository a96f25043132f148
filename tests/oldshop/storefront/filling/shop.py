"""The catalogue, the vouchers and the years of orders."""

import random
import uuid
from bisect import bisect
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal as D
from itertools import accumulate

from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import make_password
from django.contrib.flatpages.models import FlatPage
from django.contrib.sites.models import Site
from django.db import transaction
from oscar.apps.catalogue.categories import create_from_breadcrumbs
from oscar.core.loading import get_model

from forks.partner.strategy import net
from forks.shipping.methods import Express, PickUp, Post
from storefront.filling import people, words
from storefront.filling.bulk import insert, next_key, reset_sequences

User = get_user_model()
Country = get_model("address", "Country")
UserAddress = get_model("address", "UserAddress")
Product = get_model("catalogue", "Product")
ProductClass = get_model("catalogue", "ProductClass")
Project = get_model("customer", "Project")
Benefit = get_model("offer", "Benefit")
Condition = get_model("offer", "Condition")
ConditionalOffer = get_model("offer", "ConditionalOffer")
Range = get_model("offer", "Range")
Line = get_model("order", "Line")
Order = get_model("order", "Order")
OrderDiscount = get_model("order", "OrderDiscount")
OrderStatusChange = get_model("order", "OrderStatusChange")
PaymentEvent = get_model("order", "PaymentEvent")
PaymentEventQuantity = get_model("order", "PaymentEventQuantity")
PaymentEventType = get_model("order", "PaymentEventType")
ShippingAddress = get_model("order", "ShippingAddress")
ShippingEvent = get_model("order", "ShippingEvent")
ShippingEventQuantity = get_model("order", "ShippingEventQuantity")
ShippingEventType = get_model("order", "ShippingEventType")
Partner = get_model("partner", "Partner")
StockRecord = get_model("partner", "StockRecord")
Source = get_model("payment", "Source")
SourceType = get_model("payment", "SourceType")
Voucher = get_model("voucher", "Voucher")
VoucherApplication = get_model("voucher", "VoucherApplication")
VoucherSet = get_model("voucher", "VoucherSet")

YEARS = 6
CHUNK = 10_000
PASSWORD = "knit-two-purl-two"
OFFICE = "office@shop.example"
KNOWN_CUSTOMER = "nadia.favre@bluemail.example"
ZERO = D("0.00")

# How the orders of the past ended, and the way there.
SENT = ("Payment received", "Being packed", "Sent")
ENDS = (
    (70, (*SENT, "Handed over")),
    (8, ("Payment received", "Being packed", "Ready for pick-up", "Handed over")),
    (10, SENT),
    (4, ("Called off",)),
    (2, ("Payment received", "Called off")),
    (3, (*SENT, "Money back")),
    (3, (*SENT, "Handed over", "Money back")),
)


def fill(*, customers, orders, vouchers, seed, until, say):
    """Write the shop. `until` is the last day of its past, `say(text)` is called while it goes on."""
    rng = random.Random(seed)
    end = datetime(until.year, until.month, until.day, tzinfo=UTC)
    start = end - timedelta(days=365 * YEARS)
    with transaction.atomic():
        say("Countries, catalogue and stock")
        wares = write_catalogue()
        write_staff(start)
        taken = {KNOWN_CUSTOMER, OFFICE}
        write_pages()
        say(f"{customers:,} customers")
        persons = write_customers(rng, customers, start, end, taken)
        say(f"{vouchers:,} vouchers")
        used = write_vouchers(rng, vouchers, start, end)
        write_orders(rng, orders, persons, wares, used, start, end, taken, say)
        reset_sequences([UserAddress, Voucher, *Tables.COLUMNS])


def write_catalogue():
    countries = (("CH", "CHE", "756", "Switzerland"), ("LI", "LIE", "438", "Liechtenstein"))
    for number, (code, code3, numeric, name) in enumerate(countries):
        Country.objects.get_or_create(
            iso_3166_1_a2=code,
            defaults={
                "iso_3166_1_a3": code3,
                "iso_3166_1_numeric": numeric,
                "printable_name": name,
                "name": name,
                "display_order": number,
                "is_shipping_country": True,
            },
        )
    partner, _ = Partner.objects.get_or_create(name="Lakeside Wool workshop", defaults={"code": "workshop"})
    product_class, _ = ProductClass.objects.get_or_create(name="Ware")
    wares, number = [], 0
    for shelf, things in words.CATALOGUE.items():
        category = create_from_breadcrumbs(shelf)
        for title, price, stock in things:
            number += 1
            product = Product.objects.create(
                title=title,
                upc=f"LW{number:04d}",
                product_class=product_class,
                description=words.DESCRIPTIONS[shelf],
            )
            product.categories.add(category)
            record = StockRecord.objects.create(
                product=product,
                partner=partner,
                partner_sku=f"LW-{number:04d}",
                price=D(price),
                price_currency="CHF",
                num_in_stock=stock,
            )
            wares.append((product, record))
    write_offer(wares)
    return wares


def write_offer(wares):
    """The offer that has always been there: five skeins of sock yarn, a tenth off."""
    socks = Range.objects.create(name="Sock yarn", slug="sock-yarn", is_public=True)
    for product, __ in wares[:2]:
        socks.add_product(product)
    ConditionalOffer.objects.create(
        name="Five skeins of sock yarn: a tenth off",
        slug="five-skeins",
        description="Take five skeins of sock yarn and pay a tenth less for them.",
        offer_type=ConditionalOffer.SITE,
        exclusive=False,
        condition=Condition.objects.create(range=socks, type=Condition.COUNT, value=5),
        benefit=Benefit.objects.create(range=socks, type=Benefit.PERCENTAGE, value=10),
    )


def write_pages():
    """The page that Django's flatpages show at /about/, without a language, at both addresses."""
    page = FlatPage.objects.create(url="/about/", title="About us", content=words.ABOUT)
    page.sites.set(Site.objects.all())


def write_staff(start):
    User.objects.create_superuser(
        OFFICE, PASSWORD, first_name="Odile", last_name="Berthoud", id="0d11e000-0000-4000-8000-000000000001"
    )
    User.objects.filter(email=OFFICE).update(date_joined=start)


def write_customers(rng, number, start, end, taken):
    """Write the accounts with their address books; everybody has the same password, which a demonstration needs."""
    password = make_password(PASSWORD, salt="lakesidewool")
    days = (end - start).days
    persons = list(people.customers(rng, max(number - 1, 0), start, days, taken))
    known = people.Person(
        key=uuid.UUID("ad1a0000-0000-4000-8000-000000000002"),
        first_name="Nadia",
        last_name="Favre",
        email=KNOWN_CUSTOMER,
        line1="Rue de Rive 12",
        postcode="1260",
        town="Nyon",
        phone="+41795550199",
        since=start + timedelta(days=200),
    )
    persons.insert(0, known)
    insert(
        User,
        "id email first_name last_name password date_joined last_login is_active newsletter",
        (
            (
                person.key,
                person.email,
                person.first_name,
                person.last_name,
                password,
                person.since,
                person.since,
                True,
                number % 3 == 0,
            )
            for number, person in enumerate(persons)
        ),
    )
    country = Country.objects.get(pk="CH")
    insert(
        UserAddress,
        "id user_id first_name last_name line1 line4 postcode country_id phone_number search_text hash"
        " is_default_for_shipping date_created",
        (
            (
                number,
                person.key,
                person.first_name,
                person.last_name,
                person.line1,
                person.town,
                person.postcode,
                "CH",
                person.phone,
                person.search_text,
                address_hash(person, country),
                True,
                person.since,
            )
            for number, person in enumerate(persons, start=next_key(UserAddress))
        ),
    )
    Project.objects.create(user_id=known.key, name="Shawl of the lake", note="Second ball, row 88")
    return persons


def address_hash(person, country):
    """What Oscar knows an address by: the same one, given at the checkout, is not written twice."""
    return UserAddress(
        first_name=person.first_name,
        last_name=person.last_name,
        line1=person.line1,
        line4=person.town,
        postcode=person.postcode,
        country=country,
    ).generate_hash()


def write_vouchers(rng, number, start, end):
    """Write the vouchers on a few shared offers, and return those that orders of the past may have used."""
    everything = Range.objects.create(name="Everything", slug="everything", includes_all_products=True)
    offers = []
    for name, kind, value in (
        ("A tenth off", Benefit.PERCENTAGE, 10),
        ("A fifth off", Benefit.PERCENTAGE, 20),
        ("CHF 15 off", Benefit.FIXED, 15),
    ):
        offers.append(
            ConditionalOffer.objects.create(
                name=name,
                slug=name.lower().replace(" ", "-"),
                offer_type=ConditionalOffer.VOUCHER,
                exclusive=False,
                condition=Condition.objects.create(range=everything, type=Condition.VALUE, value=40),
                benefit=Benefit.objects.create(range=everything, type=kind, value=value),
            )
        )
    campaign = VoucherSet.objects.create(
        name="Letter to the readers",
        count=0,
        description="One for each reader of the newsletter",
        start_datetime=start,
        end_datetime=end + timedelta(days=200),
    )
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"
    codes, rows, used = {"KNIT10"}, [], []
    first = next_key(Voucher)
    for key in range(first, first + number):
        if key == first:
            code, name, usage, begins, ends = (
                "KNIT10",
                "Knit more",
                Voucher.MULTI_USE,
                start,
                end + timedelta(days=400),
            )
        else:
            code = "".join(rng.choices(letters, k=8))
            while code in codes:
                code = "".join(rng.choices(letters, k=8))
            codes.add(code)
            begins = people.moment(rng, start, (end - start).days)
            ends = begins + timedelta(days=rng.choice((30, 90, 365)))
            usage = rng.choices(
                (Voucher.SINGLE_USE, Voucher.ONCE_PER_CUSTOMER, Voucher.MULTI_USE), (70, 20, 10)
            )[0]
            name = f"Voucher {code}"
        offer = offers[0] if key == first else rng.choice(offers)
        from_campaign = key > first and usage == Voucher.SINGLE_USE
        rows.append(
            (
                key,
                name,
                code,
                usage,
                begins,
                ends,
                begins,
                campaign.pk if from_campaign else None,
                key % 50 == 7,
            )
        )
        used.append((key, code, offer.pk, offer.name, begins, ends, usage == Voucher.SINGLE_USE))
    insert(
        Voucher,
        "id name code usage start_datetime end_datetime date_created voucher_set_id newsletter_only",
        rows,
    )
    insert(Voucher.offers.through, "voucher_id conditionaloffer_id", ((row[0], row[2]) for row in used))
    VoucherSet.objects.filter(pk=campaign.pk).update(count=sum(1 for row in rows if row[7]))
    return used


class Tables:
    """Rows of one chunk of orders, by model, and how to write them."""

    COLUMNS = {
        ShippingAddress: "id first_name last_name line1 line4 postcode country_id phone_number search_text",
        Order: "id number site_id user_id guest_email currency total_incl_tax total_excl_tax shipping_incl_tax "
        "shipping_excl_tax shipping_method shipping_code shipping_address_id status date_placed analytics_tracked "
        "gift_message packed_by",
        Line: "id order_id partner_id partner_name partner_sku stockrecord_id product_id title upc quantity "
        "line_price_incl_tax line_price_excl_tax line_price_before_discounts_incl_tax "
        "line_price_before_discounts_excl_tax unit_price_incl_tax unit_price_excl_tax status num_allocated",
        OrderStatusChange: "order_id old_status new_status date_created",
        Source: "id order_id source_type_id currency amount_allocated amount_debited amount_refunded reference label",
        PaymentEvent: "id order_id amount reference event_type_id date_created",
        PaymentEventQuantity: "event_id line_id quantity",
        ShippingEvent: "id order_id event_type_id date_created",
        ShippingEventQuantity: "event_id line_id quantity",
        OrderDiscount: "order_id category offer_id offer_name voucher_id voucher_code frequency amount",
        VoucherApplication: "voucher_id user_id order_id date_created",
    }

    def __init__(self):
        self.rows = {model: [] for model in self.COLUMNS}
        self.keys = {model: next_key(model) for model in self.COLUMNS}

    def add(self, model, *values):
        self.rows[model].append(values)

    def add_keyed(self, model, *values):
        key = self.keys[model]
        self.keys[model] = key + 1
        self.rows[model].append((key, *values))
        return key

    def write(self):
        for model, columns in self.COLUMNS.items():
            insert(model, columns, self.rows[model])
            self.rows[model].clear()


class Crowd:
    """Who may order at a moment: those who have an account by then, some of them often, and guests."""

    def __init__(self, rng, persons, taken):
        self.rng, self.taken = rng, taken
        self.known = persons[0]
        self.persons = sorted(persons, key=lambda person: person.since)
        self.since = [person.since for person in self.persons]
        weights = [0 if rng.random() < 0.3 else rng.paretovariate(1.3) for __ in self.persons]
        self.sums = list(accumulate(min(weight, 25) for weight in weights))
        self.guests = []

    def customer(self, when):
        there = bisect(self.since, when)
        if not there or not self.sums[there - 1]:
            return None
        return self.persons[bisect(self.sums, self.rng.random() * self.sums[there - 1], hi=there - 1)]

    def guest(self, when):
        """Return a guest: an earlier one, a customer who did not log in, or somebody new."""
        chance = self.rng.random()
        if chance < 0.35 and self.guests:
            guest = self.rng.choice(self.guests)
            return self._written_otherwise(guest) if chance < 0.12 else guest
        if chance < 0.5:
            customer = self.customer(when)
            if customer is not None:
                return self._written_otherwise(customer)
        guest = people.make_person(self.rng, self.taken, when, account=False)
        self.guests.append(guest)
        return guest

    def _written_otherwise(self, person):
        email = people.variant(self.rng, person.email)
        return replace(person, key=None, email=email)


def write_orders(rng, number, persons, wares, vouchers, start, end, taken, say):
    say(f"{number:,} orders")
    crowd = Crowd(rng, persons, taken)
    prices = [(product, record, net(record.price)) for product, record in wares]
    popular = list(accumulate(rng.randrange(1, 12) for __ in wares))
    types = {
        "card": SourceType.objects.get_or_create(name="Card")[0].pk,
        "paid": PaymentEventType.objects.get_or_create(name="Paid")[0].pk,
        "refunded": PaymentEventType.objects.get_or_create(name="Refunded")[0].pk,
        "shipped": ShippingEventType.objects.get_or_create(name="Shipped")[0].pk,
    }
    days = (end - start).days
    moments = sorted(people.moment(rng, start, days) for __ in range(number))
    spent = set()
    tables = Tables()
    usage = {}
    every = max(number // 14, 1)
    for count, when in enumerate(moments, start=1):
        if count % every == 0 and when > crowd.known.since:
            person = crowd.known
        elif rng.random() < 0.26:
            person = crowd.guest(when)
        else:
            person = crowd.customer(when) or crowd.guest(when)
        basket = [
            prices[bisect(popular, rng.random() * popular[-1])]
            for __ in range(rng.choice((1, 1, 2, 2, 3, 4)))
        ]
        voucher = pick_voucher(rng, vouchers, spent, when)
        write_order(rng, tables, count, when, end, person, dict.fromkeys(basket), voucher, types, usage)
        if count % CHUNK == 0:
            tables.write()
            say(f"  {count:,} orders")
    tables.write()
    for key, (orders, discount) in usage.items():
        Voucher.objects.filter(pk=key).update(
            num_orders=orders, num_basket_additions=orders, total_discount=discount
        )


def pick_voucher(rng, vouchers, spent, when):
    """A voucher that was good at that moment, for one order in fourteen; a single one goes once only."""
    if not vouchers or rng.random() > 0.07:
        return None
    for __ in range(4):
        voucher = rng.choice(vouchers)
        if voucher[4] <= when <= voucher[5] and voucher[0] not in spent:
            if voucher[6]:
                spent.add(voucher[0])
            return voucher
    return None


def write_order(rng, tables, count, when, end, person, basket, voucher, types, usage):
    method, fee = rng.choices(
        ((Post, Post.price), (Express, Express.price), (PickUp, PickUp.price)), (70, 18, 12)
    )[0]
    ends = rng.choices([path for __, path in ENDS], [weight for weight, __ in ENDS])[0]
    status, history, moment = "New", [], when + timedelta(minutes=1)
    for step in ends:
        if moment > end:
            break
        history.append((status, step, moment))
        status = step
        moment += timedelta(hours=rng.randrange(3, 70))
    paid = any(step == "Payment received" for __, step, __when in history)

    lines = []
    for product, record, excl_tax in basket:
        quantity = rng.choices((1, 2, 3, 5), (60, 22, 12, 6))[0]
        lines.append([product, record, quantity, record.price * quantity, excl_tax * quantity])
    before = [(line[3], line[4]) for line in lines]
    goods = sum(line[3] for line in lines)
    discount = ZERO
    if voucher and goods >= 40:
        percent = {"A tenth off": 10, "A fifth off": 20}.get(voucher[3])
        for line in lines:
            off = (
                (line[3] * percent / 100).quantize(D("0.01"))
                if percent
                else min(D("15.00") - discount, line[3])
            )
            discount += off
            line[3] -= off
            line[4] = net(line[3])
    else:
        voucher = None
    incl_tax = sum(line[3] for line in lines) + fee
    excl_tax = sum(line[4] for line in lines) + net(fee)

    address = tables.add_keyed(
        ShippingAddress,
        person.first_name,
        person.last_name,
        person.line1,
        person.town,
        person.postcode,
        "CH",
        person.phone,
        person.search_text,
    )
    order = tables.add_keyed(
        Order,
        f"W{count:06d}",
        1 if rng.random() < 0.7 else 2,
        person.key,
        "" if person.key else person.email,
        "CHF",
        incl_tax,
        excl_tax,
        fee,
        net(fee),
        str(method.name),
        method.code,
        address,
        status,
        when,
        True,
        rng.choice(words.GIFT_MESSAGES) if rng.random() < 0.06 else "",
        rng.choice(words.PACKERS) if any(step == "Being packed" for __, step, __when in history) else "",
    )
    keys = []
    for line, (incl_before, excl_before) in zip(lines, before, strict=True):
        product, record, quantity, incl_line, excl_line = line
        key = tables.add_keyed(
            Line,
            order,
            record.partner_id,
            "Lakeside Wool workshop",
            record.partner_sku,
            record.pk,
            product.pk,
            product.title,
            product.upc,
            quantity,
            incl_line,
            excl_line,
            incl_before,
            excl_before,
            record.price,
            net(record.price),
            status,
            0,
        )
        keys.append((key, quantity, incl_line))
    for old, new, moment in history:
        tables.add(OrderStatusChange, order, old, new, moment)
    write_money(rng, tables, order, count, when, history, incl_tax, keys, paid, types)
    if voucher:
        key, code, offer, offer_name, *__ = voucher
        tables.add(OrderDiscount, order, "Basket", offer, offer_name, key, code, 1, discount)
        tables.add(VoucherApplication, key, person.key, order, when)
        orders, so_far = usage.get(key, (0, ZERO))
        usage[key] = (orders + 1, so_far + discount)


def write_money(rng, tables, order, count, when, history, incl_tax, keys, paid, types):
    """The card's payment, what was given back of it, and the parcel."""
    if not paid:
        return
    taken_back = next((moment for __, step, moment in history if step in ("Money back", "Called off")), None)
    refunded = incl_tax if taken_back else ZERO
    returned = keys
    if not taken_back and len(keys) > 1 and rng.random() < 0.03:
        # One thing came back, the rest was kept: the status stays what it was.
        returned, refunded, taken_back = keys[:1], keys[0][2], history[-1][2]
    reference = f"CH{count:08d}"
    last4 = f"{rng.randrange(10000):04d}"
    tables.add_keyed(
        Source, order, types["card"], "CHF", incl_tax, incl_tax, refunded, reference, f"**** {last4}"
    )
    event = tables.add_keyed(PaymentEvent, order, incl_tax, reference, types["paid"], when)
    for line, quantity, __ in keys:
        tables.add(PaymentEventQuantity, event, line, quantity)
    if refunded:
        event = tables.add_keyed(PaymentEvent, order, refunded, reference, types["refunded"], taken_back)
        for line, quantity, __ in returned:
            tables.add(PaymentEventQuantity, event, line, quantity)
    sent = next((moment for __, step, moment in history if step == "Sent"), None)
    if sent:
        event = tables.add_keyed(ShippingEvent, order, types["shipped"], sent)
        for line, quantity, __ in keys:
            tables.add(ShippingEventQuantity, event, line, quantity)
