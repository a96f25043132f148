"""What the studio's pages say. Page texts live in page trees, one a language, so both languages are written here."""

from typing import Any


def _text(html: str) -> dict[str, Any]:
    return {"type": "text", "value": html}


def _cards(heading: str, *cards: dict[str, Any]) -> dict[str, Any]:
    return {"type": "cards", "value": {"heading": heading, "cards": list(cards)}}


def _card(
    heading: str, text: str, image: str | None = None, link: str = "", category: str = ""
) -> dict[str, Any]:
    return {"heading": heading, "text": text, "image": image, "link": _link(link, category)}


def _link(text: str = "", category: str = "") -> dict[str, Any]:
    return {"text": text, "page": None, "category": category}


def _image_text(
    image: str, heading: str, text: str, link: str = "", category: str = "", right: bool = False
) -> Any:
    return {
        "type": "image_text",
        "value": {
            "image": image,
            "heading": heading,
            "text": text,
            "link": _link(link, category),
            "picture_on_the_right": right,
        },
    }


def _products(heading: str, *skus: str, link: str = "") -> dict[str, Any]:
    return {"type": "products", "value": {"heading": heading, "skus": list(skus), "link": _link(link, "all")}}


def _quote(text: str, author: str) -> dict[str, Any]:
    return {"type": "quote", "value": {"text": text, "author": author}}


def _questions(heading: str, *pairs: tuple[str, str]) -> dict[str, Any]:
    return {
        "type": "questions",
        "value": {
            "heading": heading,
            "questions": [{"question": q, "answer": f"<p>{a}</p>"} for q, a in pairs],
        },
    }


def _pledges(heading: str, text: str) -> dict[str, Any]:
    return {"type": "pledges", "value": {"heading": heading, "text": text}}


def _timetable(heading: str, *rows: tuple[str, str, str, str, str]) -> dict[str, Any]:
    keys = ("day", "time", "name", "teacher", "level")
    return {
        "type": "timetable",
        "value": {"heading": heading, "classes": [dict(zip(keys, row, strict=True)) for row in rows]},
    }


HOME: dict[str, Any] = {
    "picture": "dawn",
    "in_menu": False,
    "en": {
        "title": "Studio Souffle",
        "introduction": "Yoga in two quiet rooms near the Loire, and a small shop with what we use ourselves.",
        "body": [
            _cards(
                "Three ways to begin",
                _card(
                    "Come and try",
                    "<p>One class, any level. Mats and blocks are waiting for you.</p>",
                    "room",
                    "Book a single class",
                    "passes",
                ),
                _card(
                    "Practice at your pace",
                    "<p>Five or ten classes, valid for months. No subscription.</p>",
                    "garden",
                    "See the passes",
                    "passes",
                ),
                _card(
                    "Go deeper",
                    "<p>Workshops on Saturdays, and a weekend by the sea.</p>",
                    "sea",
                    "See the workshops",
                    "workshops",
                ),
            ),
            _image_text(
                "room",
                "A studio where nobody watches",
                "<p>Twelve people at most, no mirrors, and a teacher who knows your name by the second "
                "week. We teach hatha, "
                "vinyasa and yin, from seven in the morning to nine at night.</p>",
                "Passes and memberships",
                "passes",
            ),
            _products(
                "From the shop",
                "MAT-ROOT",
                "BOTTLE-STEEL",
                "CUSHION",
                "BLOCK-CORK",
                link="Everything in the shop",
            ),
            _quote("I came for my back and stayed for the Tuesday tea.", "Camille, since 2023"),
        ],
    },
    "fr": {
        "title": "Studio Souffle",
        "introduction": (
            "Du yoga dans deux salles paisibles près de la Loire, et une petite boutique avec ce que nous "
            "utilisons nous-mêmes."
        ),
        "body": [
            _cards(
                "Trois façons de commencer",
                _card(
                    "Venez essayer",
                    "<p>Un cours, tous niveaux. Tapis et briques vous attendent.</p>",
                    "room",
                    "Réserver un cours",
                    "passes",
                ),
                _card(
                    "Pratiquez à votre rythme",
                    "<p>Cinq ou dix cours, valables plusieurs mois. Sans abonnement.</p>",
                    "garden",
                    "Voir les cartes",
                    "passes",
                ),
                _card(
                    "Allez plus loin",
                    "<p>Des ateliers le samedi, et un week-end à la mer.</p>",
                    "sea",
                    "Voir les ateliers",
                    "workshops",
                ),
            ),
            _image_text(
                "room",
                "Un studio où personne ne vous regarde",
                "<p>Douze personnes au plus, pas de miroir, et un professeur qui connaît votre prénom dès "
                "la deuxième semaine. "
                "Nous enseignons le hatha, le vinyasa et le yin, de sept heures du matin à neuf heures du "
                "soir.</p>",
                "Cartes et abonnements",
                "passes",
            ),
            _products(
                "À la boutique", "MAT-ROOT", "BOTTLE-STEEL", "CUSHION", "BLOCK-CORK", link="Toute la boutique"
            ),
            _quote(
                "Je suis venue pour mon dos, je suis restée pour le thé du mardi.", "Camille, depuis 2023"
            ),
        ],
    },
}

PAGES: list[dict[str, Any]] = [
    {
        "picture": "room",
        "en": {
            "title": "The studio",
            "slug": "studio",
            "introduction": "A former sail loft, two rooms with oak floors, and a courtyard with a fig tree.",
            "body": [
                _text(
                    "<p>Maëlle opened Studio Souffle in 2016 with nine mats and a kettle. Today eight "
                    "teachers share two "
                    "rooms in the Olivettes district, ten minutes' walk from the station.</p><h2>How we "
                    "teach</h2><p>Slowly, "
                    "and with props. A posture is right when you can breathe in it. We propose a variation "
                    "to everyone, and "
                    "nobody is asked to be an example.</p><h2>What we are careful about</h2><ul><li>Small "
                    "groups: twelve in "
                    "the large room, eight in the small one.</li><li>Heating with wood, green electricity, "
                    "water from the "
                    "tap.</li><li>A solidarity price for students and people looking for work: ask at the "
                    "desk.</li></ul>"
                ),
                _image_text(
                    "garden",
                    "The courtyard",
                    "<p>Tea is poured after each evening class. Stay as long as you like: the door closes "
                    "at half past nine.</p>",
                    right=True,
                ),
                _pledges(
                    "What you give when you pass it on",
                    "<p>For each friend whom somebody takes along who was taken along themselves, we give to the sea "
                    "rescue of the Loire estuary. This is what it comes to so far.</p>",
                ),
            ],
        },
        "fr": {
            "title": "Le studio",
            "slug": "le-studio",
            "introduction": "Une ancienne voilerie, deux salles au parquet de chêne et une cour avec un figuier.",
            "body": [
                _text(
                    "<p>Maëlle a ouvert le Studio Souffle en 2016 avec neuf tapis et une bouilloire. "
                    "Aujourd’hui, huit "
                    "professeurs partagent deux salles dans le quartier des Olivettes, à dix minutes à "
                    "pied de la gare.</p>"
                    "<h2>Notre façon d’enseigner</h2><p>Lentement, et avec des supports. Une posture est "
                    "juste quand on y "
                    "respire. Nous proposons une variante à chacun, et personne n’est montré en "
                    "exemple.</p><h2>Ce à quoi "
                    "nous tenons</h2><ul><li>De petits groupes : douze dans la grande salle, huit dans la "
                    "petite.</li><li>"
                    "Un chauffage au bois, de l’électricité verte, l’eau du robinet.</li><li>Un tarif "
                    "solidaire pour les "
                    "étudiants et les personnes en recherche d’emploi : demandez à l’accueil.</li></ul>"
                ),
                _image_text(
                    "garden",
                    "La cour",
                    "<p>Le thé est servi après chaque cours du soir. Restez autant que vous voulez : la "
                    "porte ferme à neuf "
                    "heures et demie.</p>",
                    right=True,
                ),
                _pledges(
                    "Ce que vous donnez en invitant à votre tour",
                    "<p>Quand une personne invitée invite à son tour, nous faisons un don au sauvetage en mer de "
                    "l’estuaire de la Loire. Voici où nous en sommes.</p>",
                ),
            ],
        },
    },
    {
        "picture": "garden",
        "en": {
            "title": "Timetable",
            "slug": "timetable",
            "introduction": (
                "Thirty hours of classes a week. Come ten minutes early; the door closes when the class "
                "begins."
            ),
            "body": [
                _timetable(
                    "This season",
                    ("Monday", "7.15 – 8.15 am", "Waking hatha", "Maëlle", "All levels"),
                    ("Monday", "12.30 – 1.30 pm", "Vinyasa", "Lin", "Intermediate"),
                    ("Monday", "7 – 8.15 pm", "Yin", "Soizic", "All levels"),
                    ("Tuesday", "9.30 – 10.45 am", "Gentle yoga", "Soizic", "Beginners"),
                    ("Tuesday", "6 – 7.15 pm", "Hatha", "Maëlle", "All levels"),
                    ("Tuesday", "7.30 – 8.30 pm", "Meditation and tea", "Idris", "All levels"),
                    ("Wednesday", "7.15 – 8.15 am", "Vinyasa", "Lin", "All levels"),
                    ("Wednesday", "6.30 – 7.45 pm", "Prenatal yoga", "Soizic", "On advice"),
                    ("Thursday", "12.30 – 1.30 pm", "Hatha", "Idris", "All levels"),
                    ("Thursday", "7 – 8.15 pm", "Vinyasa", "Lin", "Intermediate"),
                    ("Friday", "7.15 – 8.15 am", "Waking hatha", "Maëlle", "All levels"),
                    ("Friday", "6 – 7.15 pm", "Yin by candlelight", "Idris", "All levels"),
                    ("Saturday", "10 – 11.30 am", "Long class", "Maëlle", "All levels"),
                    ("Saturday", "11.45 am – 12.30 pm", "Parents and children", "Soizic", "From 5 years"),
                ),
                _text("<p>The studio closes on public holidays and for the first two weeks of August.</p>"),
            ],
        },
        "fr": {
            "title": "Horaires",
            "slug": "horaires",
            "introduction": (
                "Trente heures de cours par semaine. Venez dix minutes en avance : la porte ferme quand le "
                "cours commence."
            ),
            "body": [
                _timetable(
                    "Cette saison",
                    ("Lundi", "7 h 15 – 8 h 15", "Hatha du réveil", "Maëlle", "Tous niveaux"),
                    ("Lundi", "12 h 30 – 13 h 30", "Vinyasa", "Lin", "Intermédiaire"),
                    ("Lundi", "19 h – 20 h 15", "Yin", "Soizic", "Tous niveaux"),
                    ("Mardi", "9 h 30 – 10 h 45", "Yoga doux", "Soizic", "Débutants"),
                    ("Mardi", "18 h – 19 h 15", "Hatha", "Maëlle", "Tous niveaux"),
                    ("Mardi", "19 h 30 – 20 h 30", "Méditation et thé", "Idris", "Tous niveaux"),
                    ("Mercredi", "7 h 15 – 8 h 15", "Vinyasa", "Lin", "Tous niveaux"),
                    ("Mercredi", "18 h 30 – 19 h 45", "Yoga prénatal", "Soizic", "Sur avis"),
                    ("Jeudi", "12 h 30 – 13 h 30", "Hatha", "Idris", "Tous niveaux"),
                    ("Jeudi", "19 h – 20 h 15", "Vinyasa", "Lin", "Intermédiaire"),
                    ("Vendredi", "7 h 15 – 8 h 15", "Hatha du réveil", "Maëlle", "Tous niveaux"),
                    ("Vendredi", "18 h – 19 h 15", "Yin à la bougie", "Idris", "Tous niveaux"),
                    ("Samedi", "10 h – 11 h 30", "Cours long", "Maëlle", "Tous niveaux"),
                    ("Samedi", "11 h 45 – 12 h 30", "Parents et enfants", "Soizic", "Dès 5 ans"),
                ),
                _text("<p>Le studio est fermé les jours fériés et les deux premières semaines d’août.</p>"),
            ],
        },
    },
    {
        "picture": "evening",
        "en": {
            "title": "Teachers",
            "slug": "teachers",
            "introduction": "Four of the eight people who will remember which shoulder it was.",
            "body": [
                _cards(
                    "",
                    _card(
                        "Maëlle",
                        "<p>Founder. Hatha and breathing. Trained in Rishikesh and, she says, mostly by "
                        "her pupils.</p>",
                        "maelle",
                    ),
                    _card(
                        "Idris",
                        "<p>Yin, meditation and singing bowls. Was a sound engineer, still listens for a "
                        "living.</p>",
                        "idris",
                    ),
                    _card(
                        "Soizic",
                        "<p>Gentle and prenatal yoga. Physiotherapist two days a week.</p>",
                        "soizic",
                    ),
                    _card(
                        "Lin", "<p>Vinyasa. Danced for ten years and counts to eight in her sleep.</p>", "lin"
                    ),
                ),
            ],
        },
        "fr": {
            "title": "L’équipe",
            "slug": "equipe",
            "introduction": "Quatre des huit personnes qui se souviendront de quelle épaule il s’agissait.",
            "body": [
                _cards(
                    "",
                    _card(
                        "Maëlle",
                        "<p>Fondatrice. Hatha et respiration. Formée à Rishikesh et, dit-elle, surtout par "
                        "ses élèves.</p>",
                        "maelle",
                    ),
                    _card(
                        "Idris",
                        "<p>Yin, méditation et bols chantants. Ancien ingénieur du son, il écoute toujours "
                        "pour vivre.</p>",
                        "idris",
                    ),
                    _card(
                        "Soizic",
                        "<p>Yoga doux et prénatal. Kinésithérapeute deux jours par semaine.</p>",
                        "soizic",
                    ),
                    _card("Lin", "<p>Vinyasa. A dansé dix ans et compte jusqu’à huit en dormant.</p>", "lin"),
                ),
            ],
        },
    },
    {
        "picture": "sea",
        "en": {
            "title": "First visit",
            "slug": "first-visit",
            "introduction": "What to bring, where to put your shoes, and the questions that everybody asks.",
            "body": [
                _questions(
                    "Good to know",
                    (
                        "What do I need?",
                        "Clothes that you can move in. We lend mats, blocks, straps and blankets, and wash "
                        "them.",
                    ),
                    (
                        "I have never done yoga. Which class?",
                        "Gentle yoga on Tuesday morning or any “all levels” class. Tell the teacher: that "
                        "is what they are there for.",
                    ),
                    (
                        "How do I book?",
                        "Buy a class or a pass in the shop, then write to hello@studio-souffle.example.com "
                        "or come to the desk.",
                    ),
                    ("Can I cancel a class?", "Up to two hours before, without losing it."),
                    (
                        "Where are you?",
                        "12 rue des Olivettes, Nantes. Tram 1, stop Manufacture, then five minutes on foot.",
                    ),
                    (
                        "Can I return something from the shop?",
                        "Within 30 days, unused. Bring it to the desk or send it back; we refund within "
                        "the week.",
                    ),
                ),
                _image_text(
                    "dawn",
                    "Your first class",
                    "<p>A single class is valid for three months, for any hour in the timetable.</p>",
                    "Book a single class",
                    "passes",
                ),
            ],
        },
        "fr": {
            "title": "Première visite",
            "slug": "premiere-visite",
            "introduction": "Quoi apporter, où poser ses chaussures, et les questions que tout le monde pose.",
            "body": [
                _questions(
                    "Bon à savoir",
                    (
                        "Que faut-il apporter ?",
                        "Une tenue dans laquelle vous bougez bien. Nous prêtons tapis, briques, sangles et "
                        "couvertures, et nous les lavons.",
                    ),
                    (
                        "Je n’ai jamais fait de yoga. Quel cours choisir ?",
                        "Le yoga doux du mardi matin, ou tout cours « tous niveaux ». Dites-le au "
                        "professeur : il est là pour ça.",
                    ),
                    (
                        "Comment réserver ?",
                        "Achetez un cours ou une carte à la boutique, puis écrivez à "
                        "hello@studio-souffle.example.com ou passez à l’accueil.",
                    ),
                    ("Puis-je annuler un cours ?", "Jusqu’à deux heures avant, sans le perdre."),
                    (
                        "Où êtes-vous ?",
                        "12 rue des Olivettes, à Nantes. Tram 1, arrêt Manufacture, puis cinq minutes à "
                        "pied.",
                    ),
                    (
                        "Puis-je retourner un article ?",
                        "Sous 30 jours, non utilisé. Apportez-le à l’accueil ou renvoyez-le : nous "
                        "remboursons dans la semaine.",
                    ),
                ),
                _image_text(
                    "dawn",
                    "Votre premier cours",
                    "<p>Un cours à l’unité est valable trois mois, à n’importe quelle heure de la "
                    "grille.</p>",
                    "Réserver un cours",
                    "passes",
                ),
            ],
        },
    },
    {
        "picture": "evening",
        "in_menu": False,
        # Behind the privacy of the group that members are in.
        "members_only": True,
        "en": {
            "title": "Practice at home",
            "slug": "practice-at-home",
            "introduction": "Four practices and a recipe, new on the first of each month. For members, wherever "
            "they are.",
            "body": [
                _cards(
                    "This month",
                    _card(
                        "Waking up, 12 minutes",
                        "<p>With Maëlle. On the edge of the bed, then standing: spine, shoulders, breath. No mat "
                        "needed.</p>",
                        "dawn",
                    ),
                    _card(
                        "A back that sits all day, 25 minutes",
                        "<p>With Soizic. Two blocks and a wall. Stop where it stops being kind.</p>",
                        "room",
                    ),
                    _card(
                        "Slow vinyasa, 40 minutes",
                        "<p>With Lin. The Thursday class at half its speed, with every transition explained.</p>",
                        "garden",
                    ),
                ),
                _image_text(
                    "evening",
                    "Yin before sleep, 30 minutes",
                    "<p>With Idris. Four postures of five minutes each, lying down, and the bowls in between. Put a "
                    "blanket over you before the last one: you will not want to get up for it.</p><ul><li>Dragon, on "
                    "cushions</li><li>Sleeping swan</li><li>Half butterfly</li><li>Legs up the wall</li></ul>",
                    right=True,
                ),
                _text(
                    "<h2>The recipe: lentils for after class</h2><p>What simmers in the studio's kitchen on "
                    "Fridays, for "
                    "four.</p><ul><li>300 g of green lentils, one onion, two carrots, a bay leaf</li><li>Twenty-five "
                    "minutes in a litre of water, salt at the end</li><li>A spoon of mustard, lemon, olive oil, "
                    "and all "
                    "the parsley there is</li></ul><p>Better the next day. Soizic eats them cold, with an egg.</p>"
                ),
                _questions(
                    "For members",
                    (
                        "Where are the practices of last month?",
                        "They stay for three months. Ask at the desk for older ones: Lin keeps them all.",
                    ),
                    (
                        "May I practice together with somebody?",
                        "Of course. And if they would like a place of their own, send them your link: their "
                        "first class "
                        "is on us.",
                    ),
                ),
            ],
        },
        "fr": {
            "title": "Pratiquer chez soi",
            "slug": "pratiquer-chez-soi",
            "introduction": "Quatre pratiques et une recette, nouvelles le premier de chaque mois. Pour les "
            "abonnés, où "
            "qu’ils soient.",
            "body": [
                _cards(
                    "Ce mois-ci",
                    _card(
                        "Se réveiller, 12 minutes",
                        "<p>Avec Maëlle. Au bord du lit, puis debout : la colonne, les épaules, le souffle. Sans "
                        "tapis.</p>",
                        "dawn",
                    ),
                    _card(
                        "Pour un dos assis toute la journée, 25 minutes",
                        "<p>Avec Soizic. Deux briques et un mur. Arrêtez-vous là où ce n’est plus doux.</p>",
                        "room",
                    ),
                    _card(
                        "Vinyasa lent, 40 minutes",
                        "<p>Avec Lin. Le cours du jeudi à mi-vitesse, chaque passage expliqué.</p>",
                        "garden",
                    ),
                ),
                _image_text(
                    "evening",
                    "Yin avant de dormir, 30 minutes",
                    "<p>Avec Idris. Quatre postures de cinq minutes, allongé, et les bols entre elles. "
                    "Couvrez-vous avant "
                    "la dernière : vous n’aurez pas envie de vous relever.</p><ul><li>Le dragon, sur des "
                    "coussins</li><li>Le cygne endormi</li><li>Le demi-papillon</li><li>Les jambes contre le "
                    "mur</li></ul>",
                    right=True,
                ),
                _text(
                    "<h2>La recette : lentilles d’après cours</h2><p>Ce qui mijote le vendredi dans la cuisine "
                    "du studio, "
                    "pour quatre.</p><ul><li>300 g de lentilles vertes, un oignon, deux carottes, une feuille de "
                    "laurier</li><li>Vingt-cinq minutes dans un litre d’eau, le sel à la fin</li><li>Une cuillère de "
                    "moutarde, du citron, de l’huile d’olive et tout le persil qu’il y a</li></ul><p>Meilleures le "
                    "lendemain. Soizic les mange froides, avec un œuf.</p>"
                ),
                _questions(
                    "Pour les abonnés",
                    (
                        "Où sont les pratiques du mois dernier ?",
                        "Elles restent trois mois. Demandez les plus anciennes à l’accueil : Lin les garde toutes.",
                    ),
                    (
                        "Puis-je pratiquer à deux ?",
                        "Bien sûr. Et si la personne veut sa propre place, envoyez-lui votre lien : son premier "
                        "cours est "
                        "offert.",
                    ),
                ),
            ],
        },
    },
]
