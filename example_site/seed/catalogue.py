"""What the shop sells. Texts are English msgids; the French ones are in the site's gettext catalogue.

Prices are in euros and include 20 % tax. Most are multiples of 0.06, so that their tax is exact cents.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from functools import partial

from django.utils.translation import gettext_noop as _

from example_site.seed import pictures as p


@dataclass(frozen=True)
class Kind:
    """An Oscar product class."""

    name: str
    is_sent: bool = True
    has_stock: bool = True


@dataclass(frozen=True)
class Shelf:
    """A category: name, slug, one sentence."""

    name: str
    slug: str
    text: str


@dataclass(frozen=True)
class Article:
    """A product: `sku` is also its universal product code; `sizes` makes it a parent with a variant each."""

    sku: str
    title: str
    kind: Kind
    shelf: str
    price: Decimal
    text: str
    draw: Callable[[], bytes]
    stock: int = 40
    sizes: tuple[str, ...] = field(default=())


MAT = Kind(_("Yoga mat"))
ACCESSORY = Kind(_("Accessory"))
BOTTLE = Kind(_("Bottle"))
CLOTHING = Kind(_("Clothing"))
WELLBEING = Kind(_("Well-being"))
CLASS_PASS = Kind(_("Class pass"), is_sent=False, has_stock=False)
MEMBERSHIP = Kind(_("Membership"), is_sent=False, has_stock=False)
WORKSHOP = Kind(_("Workshop"), is_sent=False)
GIFT_CARD = Kind(_("Gift card"), is_sent=False, has_stock=False)

KINDS = [MAT, ACCESSORY, BOTTLE, CLOTHING, WELLBEING, CLASS_PASS, MEMBERSHIP, WORKSHOP, GIFT_CARD]

SHELVES = [
    Shelf(
        _("Passes and memberships"),
        "passes",
        _("Come when it suits you, or all year round. Valid at both rooms of the studio."),
    ),
    Shelf(
        _("Workshops"), "workshops", _("A few hours to go deeper, in small groups. Mats and tea are on us.")
    ),
    Shelf(
        _("Mats"), "mats", _("The four we practice on ourselves, chosen for grip, weight and how they age.")
    ),
    Shelf(_("Accessories"), "accessories", _("Blocks, straps and cushions that meet you where you are.")),
    Shelf(
        _("Clothing"),
        "clothing",
        _("Soft, opaque and made in Portugal from organic cotton and recycled yarn."),
    ),
    Shelf(_("Well-being"), "well-being", _("For the quarter of an hour after class.")),
    Shelf(_("Gift cards"), "gifts", _("They choose, you get the smile.")),
]


def _d(text: str) -> Decimal:
    return Decimal(text)


ARTICLES = [
    Article(
        "PASS-1",
        _("Single class"),
        CLASS_PASS,
        "passes",
        _d("18.00"),
        _(
            "<p>One class of your choice in the week's timetable. Book by e-mail or at the desk up to two "
            "hours before.</p><p>Valid for three months.</p>"
        ),
        partial(p.card, p.CLAY, p.CREAM, p.OCHRE, p.BLUSH, 19, 1, "wave"),
    ),
    Article(
        "PASS-5",
        _("5-class pass"),
        CLASS_PASS,
        "passes",
        _d("81.00"),
        _(
            "<p>Five classes, any teacher, any level. A gentle way to find the hour that suits "
            "you.</p><p>Valid for four months, and you can bring a friend on your own pass.</p>"
        ),
        partial(p.card, p.SAGE, p.SAND, p.CLAY, p.CREAM, 24, 5, "wave"),
    ),
    Article(
        "PASS-10",
        _("10-class pass"),
        CLASS_PASS,
        "passes",
        _d("150.00"),
        _(
            "<p>Ten classes to practice once or twice a week. Our most loved pass.</p><p>Valid for six "
            "months; put it on hold once for a holiday.</p>"
        ),
        partial(p.card, p.FOREST, p.SAND, p.OCHRE, p.CREAM, 18, 10, "sun"),
    ),
    Article(
        "MEMBER-MONTH",
        _("Monthly membership"),
        MEMBERSHIP,
        "passes",
        _d("75.00"),
        _(
            "<p>All classes, and practice at home, month by month. It renews by itself until you switch that off, "
            "any time, in your account: no notice, no small print.</p>"
        ),
        partial(p.card, p.NIGHT, p.SAGE, p.SAND, p.CREAM, 20, 0, "moon"),
    ),
    Article(
        "MEMBER-YEAR",
        _("Yearly membership"),
        MEMBERSHIP,
        "passes",
        _d("690.00"),
        _(
            "<p>A whole year of classes, two workshops of your choice and a mat of your own kept at the "
            "studio.</p><p>It renews by itself; we write to you two weeks before, and you can switch that off any "
            "time.</p>"
        ),
        partial(p.card, p.OCHRE, p.BLUSH, p.CLAY, p.CREAM, 26, 0, "sun"),
    ),
    Article(
        "MEMBER-HOME",
        _("Practice at home"),
        MEMBERSHIP,
        "passes",
        _d("15.00"),
        _(
            "<p>Four guided practices and a recipe, new each month, on the members' page. For travelers, new parents "
            "and rainy Sundays.</p><p>It renews by itself each month until you switch that off, any time, in your "
            "account.</p>"
        ),
        partial(p.card, p.DUSK, p.SAND, p.BLUSH, p.CREAM, 27, 0, "wave"),
    ),
    Article(
        "WORKSHOP-BREATH",
        _("Workshop: breathing, from the start"),
        WORKSHOP,
        "workshops",
        _d("45.00"),
        _(
            "<p>Three hours with Maëlle to understand your breath and four exercises to take "
            "home.</p><p>Saturday, 2 pm to 5 pm. Twelve places.</p>"
        ),
        partial(p.workshop, p.BLUSH, [p.SAGE, p.MOSS, p.FOREST], p.CLAY, 21),
        12,
    ),
    Article(
        "WORKSHOP-MOON",
        _("Workshop: yin under the full moon"),
        WORKSHOP,
        "workshops",
        _d("39.00"),
        _(
            "<p>Long postures, candlelight, and the singing bowls of Idris. Come in warm "
            "socks.</p><p>Friday, 8 pm to 10.30 pm. Sixteen places.</p>"
        ),
        partial(
            p.workshop,
            p.NIGHT,
            [p.DUSK, p.mix(p.DUSK, p.NIGHT, 0.5), p.dark(p.NIGHT)],
            p.CREAM,
            22,
            (500, 400),
            True,
        ),
        16,
    ),
    Article(
        "WORKSHOP-SEA",
        _("Weekend by the sea"),
        WORKSHOP,
        "workshops",
        _d("294.00"),
        _(
            "<p>Two days of practice and walks in Piriac-sur-Mer, with two nights in a shared room and all "
            "meals.</p><p>Ten places.</p>"
        ),
        partial(p.workshop, p.light(p.DUSK, 0.4), [p.light(p.DUSK, 0.2), p.DUSK, p.OCHRE], p.OCHRE, 27),
        10,
    ),
    Article(
        "MAT-ROOT",
        _("Racine mat, natural rubber"),
        MAT,
        "mats",
        _d("84.00"),
        _(
            "<p>Five millimetres of natural rubber that grips from the first day. 183 × 61 cm, 2.4 "
            "kg.</p><p>Wipe with water; it likes shade.</p>"
        ),
        partial(p.mat, p.SAGE, p.CREAM, p.CLAY, p.BLUSH, 1),
        24,
    ),
    Article(
        "MAT-CORK",
        _("Liège mat, cork"),
        MAT,
        "mats",
        _d("96.00"),
        _("<p>Portuguese cork on rubber: the more you sweat, the better it holds. 183 × 65 cm, 2.6 kg.</p>"),
        partial(p.mat, p.CORK, p.SAGE, p.FOREST, p.CREAM, 2),
        18,
    ),
    Article(
        "MAT-DAWN",
        _("Aube mat, extra soft"),
        MAT,
        "mats",
        _d("66.00"),
        _("<p>Eight millimetres for knees that ask for kindness. 180 × 61 cm, 1.7 kg.</p>"),
        partial(p.mat, p.CLAY, p.SAND, p.CREAM, p.OCHRE, 3),
        30,
    ),
    Article(
        "MAT-TRAVEL",
        _("Escale mat, for traveling"),
        MAT,
        "mats",
        _d("48.00"),
        _(
            "<p>A millimetre and a half, folds to the size of a jumper, 900 g. Goes over a borrowed mat, "
            "or on sand.</p>"
        ),
        partial(p.folded_mat, p.DUSK, p.SAND, p.OCHRE, 4),
        35,
    ),
    Article(
        "BLOCK-CORK",
        _("Cork block"),
        ACCESSORY,
        "accessories",
        _d("18.00"),
        _("<p>Firm, warm and heavy enough to stay put. 23 × 12 × 7.5 cm. Sold one by one.</p>"),
        partial(p.blocks, p.CORK, p.SAGE, p.CREAM, 6, True),
        80,
    ),
    Article(
        "BLOCK-FOAM",
        _("Foam blocks, the pair"),
        ACCESSORY,
        "accessories",
        _d("24.00"),
        _("<p>Light and rounded, to lean on without thinking. Recycled foam, 23 × 15 × 7.5 cm.</p>"),
        partial(p.blocks, p.CLAY, p.CREAM, p.BLUSH, 7),
        60,
    ),
    Article(
        "STRAP",
        _("Cotton strap, 2.5 m"),
        ACCESSORY,
        "accessories",
        _d("15.00"),
        _("<p>Organic cotton with two steel rings: adjusts with one hand and never slips.</p>"),
        partial(p.strap, p.OCHRE, p.SAGE, p.CREAM, 8),
        90,
    ),
    Article(
        "BOLSTER",
        _("Bolster in buckwheat"),
        ACCESSORY,
        "accessories",
        _d("63.00"),
        _("<p>To open the back or to rest the legs. Buckwheat husks, washable cover, 65 × 21 cm.</p>"),
        partial(p.bolster, p.CLAY, p.SAND, p.PAPER, p.CREAM, 9),
        22,
    ),
    Article(
        "CUSHION",
        _("Meditation cushion"),
        ACCESSORY,
        "accessories",
        _d("45.00"),
        _("<p>A round zafu that adapts to your height: take husks out or put some back by the zip.</p>"),
        partial(p.cushion, p.DUSK, p.BLUSH, p.CREAM, 10),
        26,
    ),
    Article(
        "BLANKET",
        _("Wool blanket"),
        ACCESSORY,
        "accessories",
        _d("57.00"),
        _(
            "<p>Recycled wool, woven in the Vosges. Folded it lifts you, unfolded it keeps you warm. 200 × "
            "150 cm.</p>"
        ),
        partial(p.blanket, p.SAND, p.SAGE, p.CLAY, p.CREAM, 11),
        20,
    ),
    Article(
        "BOTTLE-STEEL",
        _("Insulated bottle, 500 ml"),
        BOTTLE,
        "accessories",
        _d("30.00"),
        _("<p>Hot for twelve hours, cold for twenty-four. Steel, no taste, no drips in your bag.</p>"),
        partial(p.bottle, p.FOREST, p.BLUSH, p.SAND, p.CREAM, 3),
        50,
    ),
    Article(
        "BOTTLE-GLASS",
        _("Glass bottle, 600 ml"),
        BOTTLE,
        "accessories",
        _d("24.00"),
        _("<p>Thick glass in a silicone band, wide neck for mint and lemon.</p>"),
        partial(p.bottle, p.DUSK, p.CREAM, p.CLAY, p.SAND, 5, glass=True),
        40,
    ),
    Article(
        "LEGGINGS",
        _("Marée leggings"),
        CLOTHING,
        "clothing",
        _d("69.00"),
        _(
            "<p>High waist, flat seams, a pocket for the locker key. Recycled yarn, opaque in every "
            "posture.</p>"
        ),
        partial(p.leggings, p.FOREST, p.SAND, p.CREAM, 16),
        15,
        ("XS", "S", "M", "L", "XL"),
    ),
    Article(
        "TANK",
        _("Brise tank top"),
        CLOTHING,
        "clothing",
        _d("36.00"),
        _("<p>Organic cotton, long enough to stay in place upside down.</p>"),
        partial(p.top, p.CLAY, p.CREAM, p.SAND, 14),
        18,
        ("S", "M", "L"),
    ),
    Article(
        "SWEATSHIRT",
        _("Studio sweatshirt"),
        CLOTHING,
        "clothing",
        _d("60.00"),
        _("<p>For before and after. Brushed organic cotton, the studio's breath mark on the chest.</p>"),
        partial(p.top, p.SAGE, p.BLUSH, p.CREAM, 15, True),
        12,
        ("S", "M", "L", "XL"),
    ),
    Article(
        "SOCKS",
        _("Socks with grip"),
        CLOTHING,
        "clothing",
        _d("15.00"),
        _("<p>Cotton rib with dots that hold on parquet. One size, 36 to 41.</p>"),
        partial(p.socks, p.SAND, p.SAGE, p.CLAY, p.CREAM, 17),
        70,
    ),
    Article(
        "EYE-PILLOW",
        _("Lavender eye pillow"),
        WELLBEING,
        "well-being",
        _d("21.00"),
        _("<p>Linseed and lavender from Drôme. Weighs just enough to let go.</p>"),
        partial(p.eye_pillow, p.DUSK, p.CREAM, p.BLUSH, 12),
        45,
    ),
    Article(
        "CANDLE",
        _("Evening candle"),
        WELLBEING,
        "well-being",
        _d("27.00"),
        _("<p>Rapeseed wax, cedar and orange. Forty hours of quiet.</p>"),
        partial(p.candle, p.SAND, p.SAGE, p.BLUSH, 13),
        34,
    ),
    Article(
        "TEA",
        _("After-class tea, 100 g"),
        WELLBEING,
        "well-being",
        _d("12.00"),
        _("<p>Verbena, fennel and ginger: the one we pour at the studio.</p>"),
        partial(p.cup, p.MOSS, p.SAND, p.BLUSH, 28),
        60,
    ),
    Article(
        "GIFT-50",
        _("Gift card, €50"),
        GIFT_CARD,
        "gifts",
        _d("50.00"),
        _(
            "<p>For a few classes or something from the shelf. Arrives by e-mail, ready to print. Valid "
            "for a year.</p>"
        ),
        partial(p.gift_card, p.CLAY, p.SAND, p.OCHRE, p.CREAM, 23),
    ),
    Article(
        "GIFT-100",
        _("Gift card, €100"),
        GIFT_CARD,
        "gifts",
        _d("100.00"),
        _(
            "<p>For a workshop, a mat or a season of classes. Arrives by e-mail, ready to print. Valid for "
            "a year.</p>"
        ),
        partial(p.gift_card, p.FOREST, p.BLUSH, p.CLAY, p.CREAM, 29),
    ),
]

# Ranges, for offers and for rules such as "has bought a membership": name, slug, shelves or kinds.
RANGES = [
    (_("Whole shop"), "whole-shop", None),
    (_("Memberships"), "memberships", (MEMBERSHIP,)),
    (_("Class passes"), "class-passes", (CLASS_PASS,)),
    (_("Workshops"), "workshops", (WORKSHOP,)),
    (_("Equipment and clothing"), "equipment", (MAT, ACCESSORY, BOTTLE, CLOTHING, WELLBEING)),
]

# Words that the database stores and pages show in the reader's language.
STORED_WORDS = [
    _("Size"),
    _("Bank card"),
    _("Authorised"),
    _("Pending"),
    _("Paid"),
    _("Shipped"),
    _("Complete"),
    _("Cancelled"),
    _("Refunded"),
    _("Refund"),
]
