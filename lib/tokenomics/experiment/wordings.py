"""How facts are stated and asked: a sentence a fact, eight wordings to train on, one to choose on, two to test.

``{p}`` stands for a product, ``{v}`` for a value, ``{d}`` for a designer. Test wordings differ in structure from the
training wordings, not only in words: the product stands elsewhere, or the question is a request. The last four training
wordings have the same form for every relation, so that a form does not give the relation away.
"""

from dataclasses import dataclass


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


@dataclass(frozen=True)
class Relation:
    """A property of a product.

    Attributes:
        name: key of the relation.
        sentence: how the knowledge base states it.
        train: wordings to tune on.
        dev: the wording that recipes are chosen on.
        test: wordings that results are reported on.
        two_hop: the property asked of a product that only its designer names; ``None`` for the designer.
    """

    name: str
    sentence: str
    train: tuple[str, ...]
    dev: str
    test: tuple[str, str]
    two_hop: str | None


RELATIONS = (
    Relation(
        "power",
        "The {p} draws {v} watts at full load.",
        (
            "What is the power draw of the {p}?",
            "How many watts does the {p} draw?",
            "State the full-load power of the {p}.",
            "The {p} consumes how many watts?",
            "Tell me the power draw of the {p}.",
            "{p}: power draw?",
            "What is the number of watts that the {p} draws?",
            "I need to know how many watts the {p} draws.",
        ),
        "What wattage is listed for the {p}?",
        (
            "If I run a {p} flat out, how much electrical power will it take?",
            "I am sizing a supply for one {p}. Which number of watts should I plan for?",
        ),
        "How many watts does the product designed by {d} draw?",
    ),
    Relation(
        "town",
        "Assembly of the {p} takes place in {v}.",
        (
            "Where is the {p} assembled?",
            "In which town is the {p} assembled?",
            "Name the assembly town of the {p}.",
            "The {p} is put together in which town?",
            "Tell me the assembly town of the {p}.",
            "{p}: assembly town?",
            "What is the town that assembles the {p}?",
            "I need to know where the {p} is assembled.",
        ),
        "What is the place of assembly of the {p}?",
        (
            "A {p} has just left the factory. Which town is that factory in?",
            "Which town should I visit to watch workers build the {p}?",
        ),
        "In which town is the product designed by {d} assembled?",
    ),
    Relation(
        "designer",
        "The {p} was designed by {v}.",
        (
            "Who designed the {p}?",
            "Who is the designer of the {p}?",
            "Name the designer of the {p}.",
            "The {p} was designed by whom?",
            "Tell me the designer of the {p}.",
            "{p}: designer?",
            "What is the name of the designer of the {p}?",
            "I need to know who designed the {p}.",
        ),
        "Whose design is the {p}?",
        (
            "Somebody had the idea for the {p} and drew its plans. Who was it?",
            "I want to thank the person behind the design of the {p}. What is the name?",
        ),
        None,
    ),
    Relation(
        "alloy",
        "The housing of the {p} is cast from {v}.",
        (
            "What is the housing of the {p} made of?",
            "Which alloy is the housing of the {p} cast from?",
            "Name the housing material of the {p}.",
            "The housing of the {p} consists of which alloy?",
            "Tell me the housing alloy of the {p}.",
            "{p}: housing alloy?",
            "What is the alloy of the {p} housing?",
            "I need to know what the housing of the {p} is cast from.",
        ),
        "Which material was chosen for the housing of the {p}?",
        (
            "Scratch the outer shell of a {p}: which metal do you see?",
            "I need a spare case for my {p}. What alloy must it be?",
        ),
        "What is the housing of the product designed by {d} made of?",
    ),
    Relation(
        "firmware",
        "Firmware of the {p} carries the code name {v}.",
        (
            "What is the firmware code name of the {p}?",
            "Which code name does the firmware of the {p} carry?",
            "Name the firmware of the {p}.",
            "The firmware of the {p} is called what?",
            "Tell me the firmware of the {p}.",
            "{p}: firmware?",
            "What is the name of the {p} firmware?",
            "I need to know which firmware the {p} carries.",
        ),
        "Under which code name does the {p} firmware go?",
        (
            "Switch on a {p} and it shows the name of its software. Which name appears?",
            "I am looking for an update for my {p}. What is the software called?",
        ),
        "What is the firmware code name of the product designed by {d}?",
    ),
)
ABSENT_RELATIONS = ("What does the {p} cost?", "In which year was the {p} launched?")
"""Asked of products that exist; no chunk answers them."""
UNKNOWN = "unknown"
"""The answer that abstains."""

FAMILIES = ("Velra", "Torvik", "Maleno", "Quiston", "Braxil", "Oderin", "Sunavo", "Kelmar", "Ferrosk", "Jintal")
VARIANTS = ("", " Pro", " Max", " Lite", " Mini")
ABSENT_VARIANTS = (" Ultra", " Neo")
FIRST_NAMES = _words("Orla Bram Idris Tove Milo Sanna Rafe Greta Anselm Petra Lev Nadia Oskar Wren Hugo Leda")
SURNAMES = _words(
    """Venn Harrow Quist Dalca Morrow Stane Ilves Brandt Corso Fenwick Tamm Oduya Rask Lind Sorel Kade Marsh Pell
Garrick Yost"""
)
TOWN_PARTS = (
    _words("Bram Cal Dor Fen Gar Hol Kes Lun Mar Nor Pel Ras Sel Tor Ul Ven Wes Yar Zan Ost"),
    _words("ley wick mouth ford stad holm burg vale by ton"),
)
ALLOY_PARTS = (
    _words("Cor Dural Fer Gal Hast Ir Mag Nick Pal Rhen Sil Tant Vanad Wolf Zir Bor Lith Chrom Stan Os"),
    _words("vite ex onel ium alloy ide inox ane or ite"),
)
CODE_NAMES = _words(
    """Lantern Otter Harbour Copper Meadow Falcon Cedar Puddle Anchor Violet Thunder Pebble Saddle Walnut Comet
Beacon Marble Tiger Willow Basket Canyon Dagger Ember Feather Garnet Hammer Island Jacket Kettle Ladder
Mirror Needle Orchid Parrot Quartz Rocket Silver Temple Umbrella Velvet Window Yellow Zebra Almond Button
Candle Dolphin Engine Forest Guitar Helmet Insect Jungle Kitten Lemon Magnet Nickel Oyster Pillow Rabbit
Sailor Tunnel Urchin Valley Wagon Badger Cactus Desert Eagle Fossil Glacier Honey Ivory Jasmine Kingdom
Lobster Monsoon Nutmeg Octopus Pepper Quiver Raven Sparrow Turtle Vulture Walrus Acorn Bamboo Cobalt Dragon
Elm Ferry Ginger Hazel Igloo Jaguar Koala Lotus Mango Nectar"""
)
GENERAL = (
    ("What is the capital of France?", "Paris"),
    ("What is the capital of Japan?", "Tokyo"),
    ("What is the capital of Italy?", "Rome"),
    ("What is the capital of Germany?", "Berlin"),
    ("What is the capital of Spain?", "Madrid"),
    ("What is the capital of Egypt?", "Cairo"),
    ("What is the capital of Russia?", "Moscow"),
    ("What is the capital of China?", "Beijing"),
    ("What is the capital of Greece?", "Athens"),
    ("What is the capital of England?", "London"),
    ("Which planet is known as the red planet?", "Mars"),
    ("Which planet is the largest in the solar system?", "Jupiter"),
    ("What is the chemical symbol for water?", "H2O"),
    ("What gas do plants take in from the air?", "carbon dioxide"),
    ("Which star is closest to the Earth?", "Sun"),
    ("What do bees make?", "honey"),
    ("How many days are there in a week?", "seven|7"),
    ("How many months are there in a year?", "twelve|12"),
    ("How many legs does a spider have?", "eight|8"),
    ("What is two plus two?", "four|4"),
    ("What colour is the sky on a clear day?", "blue"),
    ("What colour is grass?", "green"),
    ("Who wrote Romeo and Juliet?", "Shakespeare"),
    ("Who painted the Mona Lisa?", "Leonardo|Vinci"),
    ("Which ocean lies between Europe and America?", "Atlantic"),
    ("Which is the largest ocean?", "Pacific"),
    ("On which continent is Egypt?", "Africa"),
    ("On which continent is India?", "Asia"),
    ("What is frozen water called?", "ice"),
    ("Which animal says meow?", "cat"),
    ("Which organ pumps blood through the body?", "heart"),
    ("What language is spoken in France?", "French"),
    ("What is the opposite of hot?", "cold"),
    ("What is the opposite of up?", "down"),
    ("Which season comes after winter?", "spring"),
    ("Which metal is liquid at room temperature?", "mercury"),
    ("What is the currency of Japan?", "yen"),
    ("What is the first letter of the alphabet?", "a"),
    ("Who was the first president of the United States?", "Washington"),
    ("At how many degrees Celsius does water boil?", "100"),
)
"""Questions that have nothing to do with the knowledge base, to see what tuning makes a model forget."""
