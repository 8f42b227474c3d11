"""The merchants and goods of the sample receipts. Invented; telephone numbers are of the range kept for fiction."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Good:
    """One thing a shop sells: as the till prints it, and its price in cents."""

    name: str
    cents: int


@dataclass(frozen=True)
class Merchant:
    """A shop as a places service knows it. `street` and `city` are the two address lines of its receipts."""

    name: str
    category: str
    street: str
    city: str
    phone: str

    @property
    def address(self) -> str:
        """Both address lines in one, as a places service formats them."""
        return f"{self.street}, {self.city}, USA"

    @property
    def place_id(self) -> str:
        """A places service's id."""
        return f"ChIJ{self.name.encode().hex()[:23]}"

    @property
    def website(self) -> str:
        """As printed at the foot of a receipt."""
        return "".join(letter for letter in self.name.lower() if letter.isalpha()) + ".example"


MERCHANTS = (
    Merchant("Oak Valley Market", "grocery_store", "1420 Oaks Blvd", "Thousand Oaks, CA 91362", "(805) 555-0142"),
    Merchant("Harbor Grocers", "grocery_store", "88 Seaward Ave", "Ventura, CA 93001", "(805) 555-0188"),
    Merchant("Larkspur Coffee", "cafe", "305 State St", "Santa Barbara, CA 93101", "(805) 555-0117"),
    Merchant("Corner Bakehouse", "bakery", "27 Main St", "Ojai, CA 93023", "(805) 555-0123"),
    Merchant("Pine & Hammer Hardware", "hardware_store", "6100 Telegraph Rd", "Ventura, CA 93003", "(805) 555-0160"),
    Merchant("Cedar Street Pharmacy", "drugstore", "412 Cedar St", "Camarillo, CA 93010", "(805) 555-0134"),
    Merchant("Mesa Taqueria", "restaurant", "990 Mesa Dr", "Oxnard, CA 93036", "(805) 555-0171"),
    Merchant("Blue Heron Books", "book_store", "15 Library Ln", "Westlake Village, CA 91361", "(818) 555-0109"),
)


def _goods(text: str) -> tuple[Good, ...]:
    pairs = (entry.rsplit(maxsplit=1) for entry in text.split(","))
    return tuple(Good(name.strip(), int(cents)) for name, cents in pairs)


GOODS: dict[str, tuple[Good, ...]] = {
    "grocery_store": _goods(
        "ORG BANANAS 129, WHOLE MILK GAL 459, LARGE EGGS DZ 549, SOURDOUGH LOAF 599, AVOCADO 150, BABY SPINACH 399, "
        "CHEDDAR SHARP 649, GREEK YOGURT 129, ROMA TOMATO 98, YELLOW ONION 79, OLIVE OIL 1299, PENNE PASTA 189, "
        "BLACK BEANS CAN 119, CHICKEN THIGH 874, JASMINE RICE 699, GROUND COFFEE 1099, SPARKLING WATER 119, "
        "DISH SOAP 349, PAPER TOWELS 799, HONEYCRISP APPLE 299"
    ),
    "cafe": _goods(
        "DRIP COFFEE 325, OAT LATTE 575, CAPPUCCINO 475, ICED MATCHA 625, ALMOND CROISSANT 495, BLUEBERRY MUFFIN 395, "
        "ESPRESSO 300, EXTRA SHOT 100"
    ),
    "bakery": _goods(
        "BAGUETTE 425, RYE LOAF 850, CINNAMON ROLL 450, MORNING BUN 475, QUICHE SLICE 795, CHOC COOKIE 325, "
        "HALF DOZ BAGELS 1050, COFFEE 300"
    ),
    "hardware_store": _goods(
        "WOOD SCREWS 1LB 899, PAINTERS TAPE 649, 2X4 STUD 8FT 468, SAND PAPER 597, WOOD GLUE 799, LED BULB 4PK 1197, "
        "HOSE NOZZLE 1299, DRILL BIT 549"
    ),
    "drugstore": _goods(
        "IBUPROFEN 200MG 899, VITAMIN D3 1149, TOOTHPASTE 479, BANDAGES ASST 529, SUNSCREEN SPF50 1399, "
        "HAND LOTION 699, COUGH DROPS 349, GREETING CARD 499"
    ),
    "restaurant": _goods(
        "CARNITAS TACO 425, FISH TACO 495, AL PASTOR TACO 425, BURRITO BOWL 1195, CHIPS SALSA 450, GUACAMOLE 595, "
        "HORCHATA 375, LIME SODA 350"
    ),
    "book_store": _goods(
        "PAPERBACK 1895, HARDCOVER 2995, NOTEBOOK RULED 1250, BOOKMARK 350, GEL PEN BLACK 295, WALL CALENDAR 1499, "
        "KIDS PICTURE BK 1199, TOTE BAG 1800"
    ),
}

CARDS = ("VISA", "MASTERCARD", "AMEX", "DEBIT")
CASHIERS = ("MARIA", "DEVON", "PRIYA", "SAM", "LUCIA", "OWEN")
FOOTERS = (
    "THANK YOU",
    "COME AGAIN",
    "CUSTOMER COPY",
    "NO REFUNDS",
    "REWARDS",
    "SURVEY INSIDE",
    "OPEN 8-9",
    "DUPLICATE",
)
SAVINGS = ("SAVINGS", "COUPON", "SALE", "REG PRICE")
