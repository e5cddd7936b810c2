"""How wide a text is set, so that none is cut. Pure.

The widths of Liberation Sans, which are Helvetica's, in thousandths of the size; an accented letter is as wide as the
bare one.
"""

import unicodedata

# fmt: off
_ASCII = (  # from the space on
    278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278, 556, 556, 556, 556, 556, 556, 556,
    556, 556, 556, 278, 278, 584, 584, 584, 556, 1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833,
    722, 778, 667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556, 333, 556, 556, 500, 556,
    556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556, 556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334,
    260, 334, 584,
)
# fmt: on
_OTHERS = {"\u202f": 278, "\u00a0": 278, "–": 556, "·": 278, "×": 584, "’": 222}
_UNKNOWN = 1_000  # …, —, → and what we don't know
_BOLD = 1.08


def width(text: str, size: float, *, bold: bool = False) -> float:
    """Points that the text takes at this size."""
    return sum(map(_letter, text)) * size / 1_000 * (_BOLD if bold else 1)


def fit(text: str, size: float, room: float, *, bold: bool = False) -> str:
    """The text, ended by … where it is wider than the room."""
    if width(text, size, bold=bold) <= room:
        return text
    while text and width(text + "…", size, bold=bold) > room:
        text = text[:-1]
    return text.rstrip() + "…"


def wrap(text: str, size: float, room: float) -> list[str]:
    """The text in lines that fit, cut between words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if width(longer, size) <= room or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def _letter(letter: str) -> int:
    if letter in _OTHERS:
        return _OTHERS[letter]
    place = ord(unicodedata.normalize("NFD", letter)[0]) - 32
    return _ASCII[place] if 0 <= place < len(_ASCII) else _UNKNOWN
