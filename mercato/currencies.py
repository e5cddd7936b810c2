"""How many decimals a currency has: ISO 4217, two where it isn't listed here. Money is kept in minor units."""

from decimal import Decimal

#: Money in minor units, or a count. A fraction is always a fault, and must not be rounded out of sight.
Amount = int | Decimal

# fmt: off
WHOLE = frozenset({
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "UYI", "VND", "VUV",
    "XAF", "XOF", "XPF",
})
# fmt: on
THREE = frozenset({"BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"})


def decimals(currency: str) -> int:
    """Decimals of an ISO 4217 code in upper case: 0, 2 or 3."""
    return 0 if currency in WHOLE else 3 if currency in THREE else 2


def exact(amount: Amount) -> Amount:
    """An amount of the warehouse: a whole one as an integer, a fraction of a minor unit as it is, never rounded."""
    return int(amount) if amount == int(amount) else amount


def amount(minor: Amount, currency: str) -> str:
    """Minor units as people write them: 123456 is 1,234.56 in EUR and 123,456 in JPY."""
    return f"{Decimal(minor).scaleb(-decimals(currency)):,f}"
