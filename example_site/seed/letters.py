"""What the studio writes: the sequence for friends with a pass, a message in its own words, and the mornings on which
everything that waited for the end of the night is sent.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, Final

from django.apps import apps
from django.utils import timezone, translation
from oscar.core.loading import get_model

from example_site.seed.doings import Shop
from example_site.seed.people import ADVOCATES
from example_site.seed.visitor import LAPTOP, Visitor
from wagtail_referrals.messages import deliver_pending
from wagtail_referrals.messages.models import MessageSwitch, MessageTemplate, MessageText

INES: Final = ADVOCATES[2].email
# The discount on a first membership, which the fourth message of the sequence names.
FIRST_MONTH: Final = "FIRSTMONTH"
OWN_WORDS: Final = {
    "en": (
        "{name}, here is your own link to the studio",
        "Somebody new on the mat, thanks to you.",
        "Welcome on board",
        "<p>{greeting}</p><p>you have a link of your own now. Whoever comes by it gets a present, and we thank you "
        "for every friend who stays.</p><p>A word of Anna, who teaches on Tuesdays: the best moment to send it is "
        "right after class.</p>",
        "See my link",
    ),
    "fr": (
        "{name}, voici votre lien vers le studio",
        "Un nouveau visage sur le tapis, grâce à vous.",
        "Bienvenue à bord",
        "<p>{greeting}</p><p>vous avez maintenant un lien à vous. Qui vient par ce lien reçoit un cadeau, et nous "
        "vous remercions pour chaque proche qui reste.</p><p>Un mot d’Anna, qui enseigne le mardi : le meilleur "
        "moment pour l’envoyer, c’est juste après le cours.</p>",
        "Voir mon lien",
    ),
}


def letters(shop: Shop) -> None:
    shop.at(60, "12:00", lambda: write_welcome(shop.editor))
    if apps.is_installed("oscar_integration.memberships"):
        shop.at(60, "11:40", lambda: write_sequence(shop.editor))
    shop.at(20, "21:40", lambda: chooses(INES, "remind_friend"))
    # The nights plan; by the clock of the studio nothing is sent before eight.
    for days_ago in range(92, -1, -1):
        shop.at(days_ago, "09:05", lambda: deliver_pending(now=timezone.now()))


def write_sequence(editor: Any) -> None:
    """The ready-made one, with the code that it offers for a first month."""
    from oscar_integration.memberships.sequences import READY
    from wagtail_referrals.messages.ready_made import OPEN, write_ready

    make_discount()
    with translation.override("en"):
        write_ready(READY, user=editor, publish=True, fill={OPEN: FIRST_MONTH})


def make_discount() -> None:
    """20 % off the monthly membership, once for each customer: what the shop manager made in Oscar's dashboard."""
    model = get_model
    product = model("catalogue", "Product").objects.get(upc="MEMBER-MONTH")
    found = model("offer", "Range").objects.create(name="Monthly membership", slug="monthly-membership")
    found.add_product(product)
    offer = model("offer", "ConditionalOffer").objects.create(
        name="First month, 20 % less",
        offer_type="Voucher",
        max_basket_applications=1,
        condition=model("offer", "Condition").objects.create(range=found, type="Count", value=1),
        benefit=model("offer", "Benefit").objects.create(
            range=found, type="Percentage", value=20, max_affected_items=1
        ),
    )
    voucher = model("voucher", "Voucher").objects.create(
        name="First month",
        code=FIRST_MONTH,
        usage="Once per customer",
        start_datetime=timezone.now(),
        end_datetime=timezone.now() + timedelta(days=2 * 365),
    )
    voucher.offers.add(offer)


def write_welcome(editor: Any) -> None:
    """The studio's own words in place of the standard ones, in both languages."""
    template = MessageTemplate(kind="welcome", name="Welcome to the program", live=False)
    template.texts = [
        MessageText(
            sort_order=index,
            language=language,
            subject=subject,
            preheader=preheader,
            body=[
                {"type": "heading", "value": heading},
                {"type": "paragraph", "value": paragraphs},
                {"type": "offer", "value": None},
                {"type": "button", "value": {"label": label, "target": "account", "page": None}},
            ],
        )
        for index, (language, (subject, preheader, heading, paragraphs, label)) in enumerate(
            OWN_WORDS.items()
        )
    ]
    template.save()
    template.save_revision(user=editor, log_action=True).publish(user=editor)
    MessageSwitch.objects.update_or_create(kind="welcome", program=None, defaults={"is_on": True})


def chooses(email: str, unwanted: str) -> None:
    """A customer unticks one kind of message on the page in the account."""
    visitor = Visitor("fr", LAPTOP, email.partition("@")[0])
    visitor.sign_in(email)
    visitor.choose_messages(without=unwanted)
