"""What the editor wrote about those who refer: badges, thanks, the page about them, and the question afterwards."""

from typing import Any

# What the landing page says beside its main part.
LANDING_MORE: dict[str, dict[str, Any]] = {
    "en": {
        "body": [
            {
                "type": "referral_wall",
                "value": {
                    "heading": "People who brought their friends",
                    "text": "Without them we would be a very quiet room.",
                },
            },
            {
                "type": "referral_faq",
                "value": {
                    "heading": "Good to know",
                    "with_ours": True,
                    "questions": [
                        {
                            "question": "I have never done yoga. Is that a problem?",
                            "answer": "<p>No. Every class is open to beginners, and mats are there to borrow.</p>",
                        },
                    ],
                },
            },
        ],
        "variants": [
            {
                "type": "variant",
                "value": {
                    "channels": ["qr", "print"],
                    "headline": "You have a card of {name}’s",
                    "introduction": (
                        "<p>Then you have probably talked about us already. What {name} did not have room to "
                        "write: your present is in the basket, without a code.</p>"
                    ),
                    "action_text": "Have a look around",
                },
            },
            {
                "type": "variant",
                "value": {
                    "audience": "Regulars",
                    "headline": "{name} has been with us for years",
                    "introduction": (
                        "<p>And thinks that you would like it here, too. Come for a class, or have a mat sent home: "
                        "your present is in the basket already.</p>"
                    ),
                },
            },
        ],
        "situations": [
            {
                "type": "situation",
                "value": {
                    "situation": "customer",
                    "headline": "You know the way to us",
                    "text": (
                        "<p>{name}’s present is for people who have never ordered from us. Invite somebody "
                        "yourself: then there is something for both of you.</p>"
                    ),
                },
            },
            {
                "type": "situation",
                "value": {
                    "situation": "closed",
                    "headline": "The present is over, the door is open",
                    "text": "<p>There is nothing to give away now. Your first class costs €18, tea included.</p>",
                },
            },
        ],
        "share_messages": [
            {
                "type": "message",
                "value": {
                    "channel": "email",
                    "subject": "A mat beside mine",
                    "message": (
                        "Hello,\n\nI practice at Studio Souffle in Nantes, and I think you would like it. With my link "
                        "you get: {gift}.\n\n{name}"
                    ),
                },
            },
            {
                "type": "message",
                "value": {
                    "channel": "linkedin",
                    "message": "A quiet hour after work, in Nantes. With my link you get: {gift}.",
                },
            },
        ],
        "card_heading": "A present from {name}",
        "card_text": "Studio Souffle: yoga in Nantes, and everything for it.",
    },
    "fr": {
        "body": [
            {
                "type": "referral_wall",
                "value": {
                    "heading": "Ils sont venus avec leurs proches",
                    "text": "Sans eux, la salle serait bien silencieuse.",
                },
            },
            {
                "type": "referral_faq",
                "value": {
                    "heading": "Bon à savoir",
                    "with_ours": True,
                    "questions": [
                        {
                            "question": "Je n’ai jamais fait de yoga. Est-ce un problème ?",
                            "answer": "<p>Non. Tous les cours s’ouvrent aux débutants, et nous prêtons des tapis.</p>",
                        },
                    ],
                },
            },
        ],
        "variants": [
            {
                "type": "variant",
                "value": {
                    "channels": ["qr", "print"],
                    "headline": "Vous avez une carte de {name}",
                    "introduction": (
                        "<p>Vous avez donc sûrement déjà parlé de nous. Ce qui ne tenait pas sur la carte : votre "
                        "cadeau est dans le panier, sans code à saisir.</p>"
                    ),
                    "action_text": "Faire un tour",
                },
            },
            {
                "type": "variant",
                "value": {
                    "audience": "Regulars",
                    "headline": "{name} pratique chez nous depuis des années",
                    "introduction": (
                        "<p>Et pense que l’endroit vous plairait. Venez à un cours, ou faites-vous livrer un tapis : "
                        "votre cadeau est déjà dans le panier.</p>"
                    ),
                },
            },
        ],
        "situations": [
            {
                "type": "situation",
                "value": {
                    "situation": "customer",
                    "headline": "Vous connaissez le chemin",
                    "text": (
                        "<p>Le cadeau de {name} est réservé à celles et ceux qui n’ont jamais commandé chez nous. "
                        "Invitez quelqu’un à votre tour : vous y gagnerez tous les deux.</p>"
                    ),
                },
            },
            {
                "type": "situation",
                "value": {
                    "situation": "closed",
                    "headline": "Le cadeau est terminé, la porte reste ouverte",
                    "text": "<p>Rien à offrir pour le moment. Le premier cours est à 18 €, thé compris.</p>",
                },
            },
        ],
        "share_messages": [
            {
                "type": "message",
                "value": {
                    "channel": "email",
                    "subject": "Un tapis à côté du mien",
                    "message": (
                        "Bonjour,\n\nJe pratique au Studio Souffle à Nantes et je pense que vous aimeriez. Avec mon "
                        "lien, vous recevez : {gift}.\n\n{name}"
                    ),
                },
            },
            {
                "type": "message",
                "value": {
                    "channel": "linkedin",
                    "message": "Une heure au calme après le travail, à Nantes. Avec mon lien, vous recevez : {gift}.",
                },
            },
        ],
        "card_heading": "Un cadeau de {name}",
        "card_text": "Le Studio Souffle : du yoga à Nantes, et tout ce qu’il faut pour cela.",
    },
}
LOOK = {
    "keep_by_email": True,
    "colour_ground": "#fbf6ec",
    "colour_ink": "#24352d",
    "colour_accent": "#b35434",
}

HUB_MORE: dict[str, Any] = {
    "en": [
        {"type": "referral_progress", "value": {}},
        {"type": "referral_faq", "value": {"with_ours": True}},
    ],
    "fr": [
        {"type": "referral_progress", "value": {}},
        {"type": "referral_faq", "value": {"with_ours": True}},
    ],
}

# The page with every block that there is about referrals.
COMPANY: dict[str, Any] = {
    "picture": "garden",
    "in_menu": False,
    "en": {
        "title": "Good company",
        "slug": "good-company",
        "introduction": "Those who took somebody along, what it brought them, and how you do it, too.",
        "body": [
            {"type": "referral_banner", "value": {"text": "Look around, your present waits in the basket."}},
            {
                "type": "text",
                "value": (
                    "<p>A mat is narrow, but there is room for another one beside it. Here we thank those who took "
                    "somebody along. Nobody is named who has not agreed.</p>"
                ),
            },
            {
                "type": "referral_wall",
                "value": {"heading": "Thank you", "text": "For evenings that were full."},
            },
            {
                "type": "referral_leaderboard",
                "value": {"heading": "This year, so far", "period": "year", "size": 5},
            },
            {
                "type": "referral_how_it_works",
                "value": {"heading": "How to take somebody along", "reader": "referrer"},
            },
            {"type": "referral_share", "value": {"heading": "Your turn"}},
            {"type": "referral_progress", "value": {}},
            {"type": "referral_balance", "value": {}},
            {"type": "referral_faq", "value": {"heading": "What people ask us", "with_ours": True}},
            {"type": "referral_terms", "value": {}},
        ],
    },
    "fr": {
        "title": "En bonne compagnie",
        "slug": "en-bonne-compagnie",
        "introduction": "Celles et ceux qui ont amené quelqu’un, ce que cela leur a apporté, et comment faire de même.",
        "body": [
            {
                "type": "referral_banner",
                "value": {"text": "Faites le tour, votre cadeau attend dans le panier."},
            },
            {
                "type": "text",
                "value": (
                    "<p>Un tapis est étroit, mais il y a de la place pour un autre à côté. Merci à celles et "
                    "ceux qui ont amené quelqu’un. Personne n’est nommé sans avoir donné son accord.</p>"
                ),
            },
            {
                "type": "referral_wall",
                "value": {"heading": "Merci", "text": "Pour des soirées où la salle était pleine."},
            },
            {
                "type": "referral_leaderboard",
                "value": {"heading": "Cette année, pour l’instant", "period": "year", "size": 5},
            },
            {
                "type": "referral_how_it_works",
                "value": {"heading": "Comment amener quelqu’un", "reader": "referrer"},
            },
            {"type": "referral_share", "value": {"heading": "À vous"}},
            {"type": "referral_progress", "value": {}},
            {"type": "referral_balance", "value": {}},
            {"type": "referral_faq", "value": {"heading": "Ce que l’on nous demande", "with_ours": True}},
            {"type": "referral_terms", "value": {}},
        ],
    },
}

FEEDBACK: dict[str, dict[str, Any]] = {
    "en": {
        "title": "How was it?",
        "slug": "how-was-it",
        "introduction": "<p>You came by a friend, or brought one along. Tell us in a minute how it was.</p>",
        "rating_question": "How likely is it that you recommend Studio Souffle to a friend?",
        "question": "What should we do better?",
        "thanks": "<p>We read every answer over our morning tea.</p>",
    },
    "fr": {
        "title": "Qu’en avez-vous pensé ?",
        "slug": "votre-avis",
        "introduction": "<p>Un proche vous a fait venir, ou vous en avez amené un. Dites-nous en une minute ce que "
        "vous en pensez.</p>",
        "rating_question": "Quelle est la probabilité que vous recommandiez le Studio Souffle à un proche ?",
        "question": "Que devrions-nous améliorer ?",
        "thanks": "<p>Nous lisons chaque réponse autour du thé du matin.</p>",
    },
}

# (drawing, names, criterion)
BADGES: tuple[tuple[str, dict[str, str], dict[str, Any]], ...] = (
    ("leaf", {"en": "First friend", "fr": "Premier proche"}, {"criterion": "referrals", "threshold": 1}),
    ("heart", {"en": "Three of us", "fr": "Nous voilà trois"}, {"criterion": "referrals", "threshold": 3}),
    (
        "sun",
        {"en": "A whole row of mats", "fr": "Toute une rangée de tapis"},
        {"criterion": "revenue", "revenue": {"EUR": "250.00"}},
    ),
)
PIONEER: tuple[str, dict[str, str]] = ("star", {"en": "Pioneer", "fr": "Pionnier"})

THANKS: dict[str, dict[str, str]] = {
    "rozenn@example.com": {
        "en": "Five friends since the autumn, and each of them came back.",
        "fr": "Cinq proches depuis l’automne, et chacun est revenu.",
    },
    "ines@example.com": {
        "en": "Filled the moon workshop on her own, within three days.",
        "fr": "A rempli l’atelier de la lune à elle seule, en trois jours.",
    },
    "camille@example.com": {
        "en": "Was the first to tell her friends about us.",
        "fr": "A été la première à parler de nous autour d’elle.",
    },
}
