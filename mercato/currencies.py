"""How many decimals a currency has: ISO 4217, two where it isn't listed here. Money is kept in minor units."""

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


def amount(minor: int, currency: str) -> str:
    """Minor units as people write them: 123456 is 1,234.56 in EUR and 123,456 in JPY."""
    places = decimals(currency)
    sign, (whole, rest) = "-" if minor < 0 else "", divmod(abs(minor), 10**places)
    return f"{sign}{whole:,}.{rest:0{places}d}" if places else f"{sign}{whole:,}"
