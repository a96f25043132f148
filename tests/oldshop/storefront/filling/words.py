# ruff: noqa: SIM905
"""Names and wares. None of these people exists; every mail domain is one that is reserved for examples."""

FIRST_NAMES = (
    "Alice Amélie Andrea Anne Anouk Aurélie Beatrice Brigitte Camille Carla Caroline Catherine Céline Chantal Chiara "
    "Christine Claire Claudia Corinne Daniela Delphine Denise Diane Elena Élise Elisabeth Émilie Emma Estelle Eva "
    "Fabienne Florence Françoise Gabriela Geneviève Hannah Heidi Hélène Ines Irène Isabelle Jacqueline Janine Jeanne "
    "Julia Julie Karin Kate Katharina Laura Léa Liliane Lina Livia Louise Lucie Luisa Madeleine Manon Margaux Maria "
    "Marianne Marie Marion Martina Mathilde Mélanie Michelle Mila Monika Monique Nadia Nadine Natalie Nicole Nina "
    "Noémie Nora Odile Olivia Pascale Patricia Pauline Petra Rachel Regula Renate Rosa Ruth Sabine Sandra Sarah Silvia "
    "Simone Sofia Sophie Stéphanie Susanne Sylvie Tamara Ursula Valérie Vanessa Véronique Victoria Viviane Yvonne "
    "Adrian Alain Antoine Bernard Christian Daniel David Éric Fabio Florian François Grégoire Hugo Jan Jérôme Jonas "
    "Lars Luc Marc Martin Mathieu Michael Nicolas Olivier Pascal Patrick Paul Peter Philippe Raphaël Robert Samuel "
    "Simon Stefan Thomas Urs Victor Yann"
).split()

LAST_NAMES = (
    "Aebi Aeschlimann Amstutz Aubert Bachmann Barbey Baumann Berger Berthoud Besson Bianchi Blanc Bolliger Bonvin "
    "Bovet Brunner Bühler Burri Cattaneo Chapuis Chevalley Christen Clerc Conti Corboz Cretton Crivelli Cuendet "
    "Darbellay Delaloye Demierre Dubois Dufour Durand Egger Egli Emery Fankhauser Favre Felber Ferrari Fischer "
    "Fontana Fournier Frei Frey Fuchs Gaillard Galli Gasser Gerber Giroud Glauser Graf Grandjean Gremaud Grosjean "
    "Guex Häberli Hofer Hofmann Huber Hug Imhof Isler Jaccard Jaquet Jenny Joly Jordan Junod Kaufmann Keller "
    "Kessler Kohler Krähenbühl Kunz Küng Lambert Lang Lehmann Leuenberger Liechti Lombardi Lüthi Maillard Marti "
    "Martinelli Maurer Meier Meyer Mercier Meylan Michel Monnier Monod Moret Moser Müller Nicolet Oberson Ott "
    "Pahud Pasche Perrin Perret Pfister Piguet Pittet Portmann Rapin Rey Reymond Richard Ritter Rochat Rossi Roth "
    "Rouiller Ryser Sauter Savary Schaller Schmid Schneider Schwab Siegenthaler Stalder Stauffer Steiner Studer "
    "Suter Thommen Tissot Vaucher Villard Vogel Vonlanthen Vuilleumier Walker Weber Wenger Widmer Wyss Zbinden "
    "Zimmermann Zürcher"
).split()

# Post code, town, streets of it.
TOWNS = (
    ("1003", "Lausanne", "Avenue de la Gare|Rue de Bourg|Rue Centrale|Avenue d'Ouchy"),
    ("1006", "Lausanne", "Avenue de Cour|Boulevard de Grancy|Avenue des Alpes"),
    ("1110", "Morges", "Grand-Rue|Rue Louis-de-Savoie|Avenue de Marcelin"),
    ("1201", "Genève", "Rue de Lausanne|Rue du Mont-Blanc|Rue des Pâquis"),
    ("1227", "Carouge", "Rue Saint-Joseph|Place du Marché|Rue Ancienne"),
    ("1260", "Nyon", "Rue de Rive|Route de Divonne|Avenue Viollier"),
    ("1400", "Yverdon-les-Bains", "Rue du Lac|Rue de la Plaine|Avenue de Grandson"),
    ("1630", "Bulle", "Grand-Rue|Rue de Gruyères|Route de Riaz"),
    ("1700", "Fribourg", "Rue de Lausanne|Boulevard de Pérolles|Route de la Glâne"),
    ("1800", "Vevey", "Rue du Simplon|Avenue de la Gare|Quai Perdonnet"),
    ("1820", "Montreux", "Grand-Rue|Avenue des Planches|Rue de la Paix"),
    ("1870", "Monthey", "Avenue de l'Industrie|Rue du Château"),
    ("1950", "Sion", "Rue du Rhône|Avenue de France|Rue de Lausanne"),
    ("2000", "Neuchâtel", "Rue du Seyon|Faubourg du Lac|Rue des Terreaux"),
    ("2300", "La Chaux-de-Fonds", "Avenue Léopold-Robert|Rue de la Serre"),
    ("2502", "Biel/Bienne", "Bahnhofstrasse|Nidaugasse|Rue Centrale"),
    ("3011", "Bern", "Kramgasse|Gerechtigkeitsgasse|Spitalgasse"),
    ("3600", "Thun", "Obere Hauptgasse|Bälliz|Frutigenstrasse"),
    ("4051", "Basel", "Freie Strasse|Steinenvorstadt|Spalenberg"),
    ("6003", "Luzern", "Pilatusstrasse|Hirschmattstrasse"),
    ("6900", "Lugano", "Via Nassa|Via Pessina"),
    ("8001", "Zürich", "Niederdorfstrasse|Rennweg|Löwenstrasse"),
    ("8400", "Winterthur", "Marktgasse|Steinberggasse"),
    ("9000", "St. Gallen", "Multergasse|Neugasse"),
)

MAIL_DOMAINS = (
    "bluemail.example",
    "example.com",
    "post.example",
    "example.net",
    "lake.example",
    "example.org",
)

# Category: (title, price with VAT, in stock)
CATALOGUE = {
    "Yarn": (
        ("Alpine Sock, 100 g", "19.50", 640),
        ("Alpine Sock, hand-dyed, 100 g", "28.00", 180),
        ("Valais Blacknose, 100 g", "24.00", 220),
        ("Merino Double Knit, 50 g", "9.80", 1400),
        ("Merino Lace, 100 g", "26.00", 310),
        ("Highland Tweed, 50 g", "8.90", 900),
        ("Baby Alpaca, 50 g", "13.50", 520),
        ("Lambswool Fingering, 50 g", "7.90", 1100),
        ("Silk and Mohair, 25 g", "16.80", 260),
        ("Organic Cotton, 50 g", "6.50", 1300),
        ("Linen, 100 g", "18.00", 150),
    ),
    "Needles and hooks": (
        ("Bamboo needles, 4 mm", "8.50", 120),
        ("Circular needle, 80 cm, 3.5 mm", "11.90", 160),
        ("Sock needles, set of five, 2.5 mm", "9.90", 200),
        ("Interchangeable needles, the whole set", "94.00", 25),
        ("Crochet hook, 4 mm", "6.90", 140),
        ("Stitch markers, twenty", "5.50", 400),
    ),
    "Kits": (
        ("Kit: socks for a beginner", "34.00", 90),
        ("Kit: shawl of the lake", "69.00", 60),
        ("Kit: child's cardigan", "58.00", 45),
        ("Kit: hat and mittens", "42.00", 75),
    ),
    "Patterns": (
        ("Pattern: the Dent de Jaman sweater", "7.00", 999),
        ("Pattern: twelve cables", "6.00", 999),
        ("Pattern: mittens of Sonloup", "5.00", 999),
    ),
}

DESCRIPTIONS = {
    "Yarn": "Spun in small lots, washed in soft water. Every skein tells its lot number: order what you need at once.",
    "Needles and hooks": "Smooth, warm in the hand, and made to last for many projects.",
    "Kits": "Wool, needles and the pattern in English, French and German, in a bag that becomes your project bag.",
    "Patterns": "Printed on strong paper, with drawings, in English, French and German.",
}

GIFT_MESSAGES = (
    "Happy birthday, and happy knitting!",
    "Joyeux Noël, et bon tricot !",
    "For the long evenings.",
    "Merci pour tout.",
    "Welcome to the little one.",
    "Gute Besserung!",
)

ABOUT = (
    "<p>We are four, and have spun, dyed and sold wool in Lausanne since 2011. Come and feel it: the workshop is "
    "open from Tuesday to Saturday.</p>"
)

PACKERS = ("Odile", "Jonas", "Regula", "Yann")
