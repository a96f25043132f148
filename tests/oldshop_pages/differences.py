"""All that a shop's pages may answer otherwise after it adopted the package, each with its reason.

What is not here is the same: status, headers, cookies, HTML, mails, and the number of statements in the database.
"""

from __future__ import annotations

from dataclasses import dataclass

TABLES = r'"wagtail(_referrals|core)_\w+"'


@dataclass(frozen=True)
class Words:
    """French that Wagtail brings."""

    before: str
    after: str


@dataclass(frozen=True)
class Page:
    """A page that answers otherwise. ``request`` is a regular expression for the whole of it."""

    request: str
    reason: str
    # What the page has in addition, a regular expression for the whole of it, where blank lines do not count.
    added: str = ""
    # Who sees that; to others the page is as before.
    visitors: tuple[str, ...] = ("anonymous", "guest", "newcomer", "customer", "staff")
    # Where it leads now, if it was not found before; "{path}" is the path that was asked for.
    leads_to: str = ""


@dataclass(frozen=True)
class Cost:
    """More statements, begin and end of transactions apart. ``request`` is a regular expression for the whole of it."""

    visitor: str
    request: str
    statements: int
    reason: str
    # Tables of the shop that are asked once more.
    tables: str = ""
    # Where something is made the first time only; ``statements`` then are what that costs.
    least: int | None = None


# Oscar's French is asked after that of all other apps: beside its folder "fr" it has an empty "fr_FR", of which Python
# makes "fr" the fallback. So where Wagtail has words for a text of Oscar's, or for one of Django's own, Wagtail's are
# shown. The shop's own locale folder has the last word. None of these words is ours.
WORDS = [
    Words("Profil", "Compte"),
    Words("Trier par", "Ordonner par"),
    Words("Le plus récent", "Plus récent"),
    Words("Ce champ est obligatoire.", "Champ requis."),
    Words("Les deux champs de mot de passe", "Les deux champs mot de passe"),
    Words("État", "Statut"),
    Words("Date de mise à jour", "Date mise à jour"),
    Words("Date du", "Date depuis le"),
    Words("Date jusqu'au", "Date jusqu’au"),
    Words("Date jusqu&#x27;au", "Date jusqu’au"),
]

SECTIONS = "profile|change-password|orders|addresses|emails|alerts|notifications|wishlists|projects"
ACCOUNT = rf"GET /\w+/accounts/({SECTIONS})/"
ORDER = r"GET /\w+/accounts/orders/W\d+/"
ADOPTED = [
    Page(
        r"GET /nothing/",
        "Wagtail's pages stand under each language, and any address could be one of them: Django looks there first.",
        leads_to="/{language}{path}",
    ),
    Page(
        r"GET /admin/.*",
        "Django's admin lists the models of the new apps, Wagtail's and ours.",
        added=r'(<div class="app-(taggit|wagtail|wagtail_?\w+) module">(?:(?!<div class="app-).)*</table>\n</div>\n)+',
        visitors=("staff",),
    ),
    Page(
        r"GET /\w+/dashboard/.*",
        "The dashboard's navigation leads to the referrals in Wagtail's admin, for staff who may see them.",
        added=r'<li class="nav-item dropdown">\n<a class="nav-link dropdown-toggle"(?:(?!</li>).)*'
        r'<i class="fas fa-share-alt"></i>(?:(?!</li>).)*</li>\n',
        visitors=("staff",),
    ),
]
ADOPTED_COSTS = [
    Cost(r".*", r"GET /en/nothing/", 2, "Wagtail looks whether it has such a page."),
    Cost(r".*", r"GET /fr/nothing/", 3, "It also looks whether the first language has one."),
    Cost(
        r"newcomer",
        r"POST /\w+/accounts/login/ \(a new account\)",
        7,
        "Does the new account belong to somebody's friend? Its address is remembered as a customer's.",
    ),
    Cost(
        r"customer",
        r"POST /\w+/accounts/login/ \(the login\)",
        3,
        "Was somebody invited in this browser, or is this basket a friend's?",
    ),
    Cost(
        r"staff",
        r"POST /\w+/accounts/login/ \(the login\)",
        2,
        "Was somebody invited in this browser?",
    ),
    Cost(
        r"customer|newcomer",
        ACCOUNT + r".*",
        3,
        "No program is open: is there a reason to show the way to 'Refer a friend' still, an advocate, credit or an "
        "invitation?",
    ),
    Cost(
        r"customer",
        ORDER,
        4,
        "The way to 'Refer a friend', and how the order was paid: its credit is shown.",
        tables=r'"payment_source"',
    ),
    Cost(
        r"customer",
        r"(GET|POST) /\w+/checkout/(payment-details|preview)/.*",
        1,
        "Has this customer credit? Guests are not asked.",
    ),
    Cost(
        r"customer",
        r"POST /\w+/checkout/preview/ \(ordered\)",
        3,
        "Is this a friend's order, was it paid with credit?",
    ),
    Cost(
        r"guest",
        r"POST /\w+/checkout/preview/ \(ordered\)",
        3,
        "Is this a friend's order? The guest's address is remembered as a customer's.",
    ),
    Cost(
        r"staff",
        r"POST /\w+/dashboard/orders/W\d+/ \(the next status\)",
        1,
        "Does this order decide about a reward?",
    ),
    Cost(
        r"staff",
        r"GET /\w+/dashboard/orders/W\d+/",
        2,
        "Is this a friend's order, did somebody say that it is?",
    ),
]

# A program is open, and the customer of the walk has credit that they do not use.
WITH_PROGRAM = [
    *ADOPTED,
    Page(
        ACCOUNT + r".*",
        "The account section leads to 'Refer a friend'.",
        added=r'<li class="nav-item"><a href="/\w+/account/refer-a-friend/" class="nav-link">[^<]+</a></li>\n',
        visitors=("newcomer", "customer"),
    ),
    Page(
        r"GET /\w+/checkout/thank-you/",
        "Who has ordered is asked to invite others.",
        added=r'<link rel="stylesheet" href="/static/wagtail_referrals/referrals.css">\n'
        r'<script type="module" src="/static/wagtail_referrals/referrals.js"></script>\n'
        r'<section class="referrals referrals-block referrals-panel referrals-thanks".*?</section>\n',
        visitors=("guest", "newcomer", "customer"),
    ),
    Page(
        r"GET /\w+/checkout/payment-details/|POST /\w+/checkout/preview/ \((no card number|declined)\)",
        "The payment step offers a customer who has credit to use it.",
        added=r'<section class="referral-credit .*?</section>\n'
        r'<script type="module" src="/static/oscar_integration/credit.js"></script>\n',
        visitors=("customer",),
    ),
    Page(
        r"GET /\w+/checkout/preview/|POST /\w+/checkout/preview/ \((a card that will be declined|a good card)\)",
        "The preview sends along what it says of credit and card, so that nothing else is charged.",
        added=r'<input type="hidden" name="referral_credit_shown" value="0.00/[\d.]+ CHF" form="place_order_form">\n',
        visitors=("customer",),
    ),
]
WITH_PROGRAM_COSTS = [
    *ADOPTED_COSTS,
    Cost(r".*", ACCOUNT + r".*", 0, "The open programs are kept in the cache."),
    Cost(
        r"guest",
        r"GET /\w+/checkout/thank-you/",
        12,
        "The guest's own link is made the first time, with a code that is no voucher's.",
        tables=r'"voucher_voucher"',
        least=2,
    ),
    Cost(
        r"customer|newcomer",
        r"GET /\w+/checkout/thank-you/",
        7,
        "The customer's own link is made the first time, with a code that is no voucher's; does a sequence begin then?",
        tables=r'"voucher_voucher"',
        least=1,
    ),
    Cost(r".*", ORDER, 1, "How the order was paid: its credit is shown.", tables=r'"payment_source"'),
]
