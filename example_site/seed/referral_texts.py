"""What the editor wrote about referring, in both languages."""

from typing import Any

LANDING: dict[str, Any] = {
    "picture": "dawn",
    "in_menu": False,
    "en": {
        "title": "With a friend",
        "slug": "with-a-friend",
        "search_description": "A present for your first order at Studio Souffle.",
        "headline": "{name} invites you to breathe in",
        "introduction": (
            "<p>We are a small yoga studio in Nantes, with a shop for what we use ourselves. Come for a "
            "class, or have a "
            "mat sent home: your present is in the basket already, without a code.</p>"
        ),
        "steps": [
            ("Have a look around", "Classes, workshops and mats. Your invitation is saved in this browser."),
            (
                "Put what you like into the basket",
                "Your discount waits there, and comes off the total by itself.",
            ),
            ("Place your order", "As a guest or with an account. Your friend gets something too."),
        ],
        "action_text": "To the shop",
    },
    "fr": {
        "title": "Entre amis",
        "slug": "entre-amis",
        "search_description": "Un cadeau pour votre première commande au Studio Souffle.",
        "headline": "{name} vous invite à souffler",
        "introduction": (
            "<p>Nous sommes un petit studio de yoga à Nantes, avec une boutique pour ce que nous "
            "utilisons nous-mêmes. "
            "Venez à un cours, ou faites-vous livrer un tapis : votre cadeau est déjà dans le panier, "
            "sans code à "
            "saisir.</p>"
        ),
        "steps": [
            (
                "Faites le tour",
                "Cours, ateliers et tapis. Votre invitation est enregistrée dans ce navigateur.",
            ),
            ("Remplissez votre panier", "Votre cadeau y est déjà : il est déduit tout seul."),
            ("Passez commande", "En invité ou avec un compte. La personne qui vous invite y gagne aussi."),
        ],
        "action_text": "Voir la boutique",
    },
}

# No introduction and no steps: they are the program's and the package's.
CLASS_LANDING: dict[str, Any] = {
    "picture": "dawn",
    "in_menu": False,
    "en": {
        "title": "A class with a friend",
        "slug": "a-class-with-a-friend",
        "search_description": "A class at Studio Souffle, as a present.",
        "headline": "{name} invites you to breathe in",
        "introduction": "",
        "steps": [],
        "action_text": "To the shop",
    },
    "fr": {
        "title": "Un cours entre amis",
        "slug": "un-cours-entre-amis",
        "search_description": "Un cours en cadeau au Studio Souffle.",
        "headline": "{name} vous invite à souffler",
        "introduction": "",
        "steps": [],
        "action_text": "Voir la boutique",
    },
}

HUB: dict[str, Any] = {
    "picture": "sea",
    "in_menu": True,
    "en": {
        "title": "Refer a friend",
        "slug": "refer-a-friend",
        "search_description": "Share Studio Souffle with your friends: they get a present, and so do you.",
        "headline": "Good things are better shared",
        "introduction": (
            "<p>Half of the people on our mats came because a friend took them along. Share your link: "
            "your friends get a "
            "present for their first order, and you get credit for your next one.</p>"
        ),
        "steps": [
            ("Share your link", "You find it in your account. It stays the same, whatever we offer."),
            ("Your friend orders", "Their present is in the basket already, without a code."),
            (
                "You get your credit",
                "Once the order is paid, delivered and not sent back. You see at any time what it is "
                "waiting for.",
            ),
        ],
    },
    "fr": {
        "title": "Parrainage",
        "slug": "parrainage",
        "search_description": "Partagez le Studio Souffle avec vos proches : un cadeau pour eux, un "
        "crédit pour vous.",
        "headline": "Les bonnes choses se partagent",
        "introduction": (
            "<p>La moitié des personnes sur nos tapis sont venues parce qu’un proche les a emmenées. "
            "Partagez votre lien : "
            "vos proches reçoivent un cadeau pour leur première commande, et vous un crédit pour la "
            "suivante.</p>"
        ),
        "steps": [
            (
                "Partagez votre lien",
                "Vous le trouvez dans votre compte. Il reste le même, quelle que soit l’offre.",
            ),
            ("Votre proche commande", "Son cadeau est déjà dans le panier, sans code à saisir."),
            (
                "Vous recevez votre crédit",
                "Une fois la commande payée, livrée et gardée. Vous voyez à tout moment ce qu’elle attend.",
            ),
        ],
    },
}

HOME_BLOCK: dict[str, Any] = {
    "en": {
        "type": "image_text",
        "value": {
            "image": None,
            "heading": "Bring a friend along",
            "text": "<p>Share your link: your friends get a present for their first order, and you get "
            "credit for your "
            "next one.</p>",
            "link": {"text": "Refer a friend", "page": None, "category": ""},
            "picture_on_the_right": True,
        },
    },
    "fr": {
        "type": "image_text",
        "value": {
            "image": None,
            "heading": "Venez avec un proche",
            "text": "<p>Partagez votre lien : vos proches reçoivent un cadeau pour leur première "
            "commande, et vous un "
            "crédit pour la suivante.</p>",
            "link": {"text": "Parrainer un proche", "page": None, "category": ""},
            "picture_on_the_right": True,
        },
    },
}

# By program and language: headline, introduction, message to share, small print.
WORDS: dict[str, dict[str, dict[str, str]]] = {
    "opening": {
        "en": {
            "headline": "Back on the mat, together",
            "share_message": "I am going back to yoga at Studio Souffle. With my link you pay less for "
            "your first order:",
            "small_print": "For the first order of new customers. Referrers are rewarded at most twice "
            "in this program.",
        },
        "fr": {
            "headline": "On reprend ensemble",
            "share_message": "Je reprends le yoga au Studio Souffle. Avec mon lien, votre première "
            "commande coûte moins :",
            "small_print": "Pour la première commande des nouveaux clients. Chaque parrain est "
            "récompensé deux fois au plus "
            "dans ce programme.",
        },
    },
    "classic": {
        "en": {
            "headline": "A present for your first order",
            "introduction": "Somebody who practices with us thought of you. Have a look around: your discount is in "
            "the basket already.",
            "share_message": "I practice at Studio Souffle and thought of you. With my link your first "
            "order costs less:",
            "small_print": "For the first order of new customers, delivery not included. Credit is used "
            "at checkout and "
            "cannot be paid out in cash.",
        },
        "fr": {
            "headline": "Un cadeau pour votre première commande",
            "introduction": "Une personne qui pratique chez nous a pensé à vous. Faites le tour : votre "
            "réduction est "
            "déjà dans le panier.",
            "share_message": "Je pratique au Studio Souffle et j’ai pensé à vous. Avec mon lien, votre "
            "première commande "
            "coûte moins :",
            "small_print": "Pour la première commande des nouveaux clients, hors livraison. Le crédit "
            "s’utilise au moment de "
            "payer et n’est pas échangeable contre de l’argent.",
        },
    },
    "workshops": {
        "en": {
            "headline": "Two on a workshop",
            "share_message": "Shall we do a workshop together? With my link you pay less for your first "
            "order:",
            "small_print": "For the first three friends. For the first order of new customers.",
        },
        "fr": {
            "headline": "À deux en atelier",
            "share_message": "On fait un atelier ensemble ? Avec mon lien, votre première commande "
            "coûte moins :",
            "small_print": "Pour les trois premières personnes invitées, sur leur première commande.",
        },
    },
    "regulars": {
        "en": {
            "headline": "Come along: the first mat is the hardest",
            "introduction": "Somebody who has been with us for a long time thought of you. Have a look around: your "
            "discount is in the basket already.",
            "share_message": "I have practiced at Studio Souffle for years, and would like to take you along. "
            "With my "
            "link your first order costs less:",
            "small_print": "For the first order of new customers. Milestones count friends whose order was paid and "
            "delivered. Credit is used at checkout; the mat comes free with one of your next orders.",
        },
        "fr": {
            "headline": "Venez : le premier tapis est le plus difficile",
            "introduction": "Une personne qui nous est fidèle a pensé à vous. Faites le tour : votre réduction est "
            "déjà dans le panier.",
            "share_message": "Je pratique au Studio Souffle depuis des années et j’aimerais vous y emmener. Avec mon "
            "lien, votre première commande coûte moins :",
            "small_print": "Pour la première commande des nouveaux clients. Les paliers comptent les proches dont la "
            "commande a été payée et livrée. Le crédit s’utilise au moment de payer ; le tapis est offert avec l’une "
            "de vos prochaines commandes.",
        },
    },
    "members": {
        "en": {
            "headline": "Two on the mat are better company",
            "introduction": "One of our members thought of you. Have a look around: your discount is in the basket "
            "already.",
            "share_message": "I am a member of Studio Souffle. Come to a workshop with me! With my link your first "
            "order costs less:",
            "small_print": "For the first order of new customers. Members get their share of three orders of each "
            "friend. It shrinks with what is sent back, and has to be used within 45 days.",
        },
        "fr": {
            "headline": "À deux sur le tapis, c’est encore mieux",
            "introduction": "Une personne abonnée chez nous a pensé à vous. Faites le tour : votre réduction est "
            "déjà "
            "dans le panier.",
            "share_message": "J’ai mon abonnement au Studio Souffle. On se retrouve à un atelier ? Avec mon lien, "
            "votre première commande coûte moins :",
            "small_print": "Pour la première commande des nouveaux clients. Les abonnés touchent leur part sur trois "
            "commandes de chaque proche. Elle diminue avec ce qui est retourné et s’utilise dans les 45 jours.",
        },
    },
    "passing_it_on": {
        "en": {
            "headline": "A cork block to begin with",
            "introduction": "Somebody was invited to us once, and now it is your turn. Put something into your "
            "basket: "
            "the cork block joins it.",
            "share_message": "A friend took me along to Studio Souffle, and now I take you. With my link a cork "
            "block "
            "comes free with your first order:",
            "small_print": "One block for each new customer, while there are some. For each friend we give to "
            "the sea "
            "rescue, and pin leaves with your name to the tree in the courtyard. Leaves cannot be spent.",
        },
        "fr": {
            "headline": "Une brique en liège pour commencer",
            "introduction": "Une personne invitée chez nous il y a peu vous invite à son tour. Mettez un article "
            "dans "
            "votre panier : la brique en liège s’y ajoute.",
            "share_message": "On m’a fait découvrir le Studio Souffle, à mon tour maintenant. Avec mon lien, une "
            "brique en liège est offerte avec votre première commande :",
            "small_print": "Une brique par nouveau client, dans la limite du stock. Pour chaque proche, nous faisons "
            "un don au sauvetage en mer et accrochons des feuilles à votre nom à l’arbre de la cour. Les feuilles ne "
            "servent pas à payer.",
        },
    },
    "bring_a_friend": {
        "en": {
            "headline": "Your first class is on us",
            "introduction": "One of our members thought of you. Open an account, and a class of your choice is "
            "in it: no "
            "card, nothing to pay.",
            "share_message": "I am a member of Studio Souffle. Come to a class with me! With my link the first "
            "one is on "
            "the house:",
            "small_print": "One class for each new customer, within 30 days. When a friend becomes a member, the "
            "credit "
            "pays the next renewal by itself; the card pays the rest.",
        },
        "fr": {
            "headline": "Votre premier cours est offert",
            "introduction": "Une personne abonnée chez nous a pensé à vous. Ouvrez un compte : un cours de votre "
            "choix y "
            "est déjà, sans carte et sans rien à payer.",
            "share_message": "J’ai mon abonnement au Studio Souffle. On se retrouve à un cours ? Avec mon lien, le "
            "premier est offert :",
            "small_print": "Un cours par nouveau client, dans les 30 jours. Quand un proche s’abonne, le crédit "
            "paie de "
            "lui-même la prochaine échéance ; la carte paie le reste.",
        },
    },
    "one_more_month": {
        "en": {
            "headline": "Your first class is on us",
            "introduction": "Somebody who was invited to us a while ago thought of you. Open an account, and a "
            "class of "
            "your choice is in it: no card, nothing to pay.",
            "share_message": "A friend took me along to Studio Souffle, and I stayed. Now I take you: with my "
            "link the "
            "first class is on the house:",
            "small_print": "One class for each new customer, within 30 days. For each friend who becomes a "
            "member, yours "
            "is a month longer.",
        },
        "fr": {
            "headline": "Votre premier cours est offert",
            "introduction": "Une personne invitée chez nous il y a peu vous invite à son tour. Ouvrez un compte : un "
            "cours de votre choix y est déjà, sans carte et sans rien à payer.",
            "share_message": "On m’a fait découvrir le Studio Souffle, et j’y viens toujours. À mon tour "
            "maintenant : avec "
            "mon lien, le premier cours est offert :",
            "small_print": "Un cours par nouveau client, dans les 30 jours. Pour chaque proche qui s’abonne, votre "
            "abonnement dure un mois de plus.",
        },
    },
}
