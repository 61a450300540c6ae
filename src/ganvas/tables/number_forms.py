"""How numbers are written as text: found, read, and written again."""

# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from ganvas.core.errors import UserError

if TYPE_CHECKING:
    import pandas as pd

FIRST = 2_000  # texts that a form is looked for in, before it is tried on all
MOSTLY = 0.9  # share of the texts that must have a form; the others are not such values, which is reported
PLAIN = "1234.5"  # the form of a number that computers write
CURRENCIES = {*"€$£¥₹", "EUR", "USD", "GBP", "CHF", "US$", "JPY", "SEK", "NOK", "DKK", "PLN", "CZK", "Fr.", "kr"}
SIGNS = "\u00a0\u202f"  # non-breaking spaces, used between thousands
# separator of thousands and point, the usual first: where two forms fit equally many texts the first is taken
NOTATIONS = [("", "."), ("", ","), (",", "."), (".", ","), *((s, p) for s in (" ", "'", *SIGNS, "’") for p in ",.")]


@dataclass(frozen=True)
class Notation:
    """How numbers are written. In a column's card it is how 1234.5 would be: '€ 1.234,5'."""

    before: str = ""
    thousands: str = ""
    point: str = "."
    after: str = ""

    def __str__(self) -> str:
        return f"{self.before}1{self.thousands}234{self.point}5{self.after}"

    @classmethod
    def of(cls, form: str) -> Notation:
        """The notation of a form.

        Raises:
            UserError: it is none.
        """
        found = re.fullmatch(r"([^\d]{0,12})1([.,'’ \u00a0\u202f]?)234([.,])5([^\d]{0,20})", form or PLAIN)
        if found is None or found[2] == found[3]:
            raise UserError(
                f"{form[:60]!r} is not a form of a number: write how 1234.5 would be written, as '€ 1.234,5'."
            )
        return cls(*found.groups())

    @property
    def pattern(self) -> str:
        """A regular expression that a number's text matches, without what is before and after it."""
        point, gap = re.escape(self.point), re.escape(self.thousands)
        tail = rf"(?:{point}\d+)?"
        if not self.thousands:
            power = r"(?:[eE][+-]?\d{1,3})?" if self.point == "." else ""
            return rf"[+-]?(?:\d+(?:{point}\d*)?|{point}\d+){power}"
        return rf"[+-]?(?:\d{{1,3}}(?:{gap}\d{{3}})+|\d+){tail}"

    def read(self, texts: pd.Series) -> pd.Series:
        """Texts -> float64; NaN where one is not such a number."""
        import pandas as pd

        clean = texts.str.strip()
        for affix, strip in ((self.before, "removeprefix"), (self.after, "removesuffix")):
            if affix.strip():  # before or after the sign, with and without a space
                clean = getattr(clean.str, strip)(affix.strip()).str.strip()
        if (self.before, self.thousands, self.point, self.after) != ("", "", ".", ""):
            good = clean.str.fullmatch(self.pattern)
            clean = clean.where(good.fillna(False).astype(bool))
            if self.thousands:
                clean = clean.str.replace(self.thousands, "", regex=False)
            clean = clean.str.replace(self.point, ".", regex=False)
            return pd.to_numeric(clean, errors="coerce").astype("float64")
        numbers = pd.to_numeric(clean, errors="coerce").astype("float64")
        odd = ~np.isfinite(numbers) & clean.notna()  # 'inf' and 'nan' are words here
        return numbers.mask(odd) if odd.any() else numbers

    def write(self, number: float, decimals: int) -> str:
        """The text of a number; decimals: -1: as many as it has."""
        text = repr(float(number)) if decimals < 0 else f"{number:.{decimals}f}"
        whole, _, rest = text.lstrip("-").partition(".")
        if self.thousands and whole.isdecimal():
            whole = f"{int(whole):,}".replace(",", self.thousands)
        sign = "-" if text.startswith("-") else ""
        return f"{sign}{self.before}{whole}{self.point + rest if rest else ''}{self.after}"


@dataclass(frozen=True)
class Found:
    """The form of some texts, how many of them have it, and why it is a guess ('': it is not)."""

    form: str
    share: float
    doubt: str = ""


def digits(texts: pd.Series, form: str = "") -> int:
    """The digits after the point that each of these numbers is written with; -1: they differ, or none has a point.

    Args:
        texts: numbers such as 12.50, without missing ones; what is not a number is ignored.
        form: of the numbers, '€ 1.234,5'; '': as computers write them.
    """
    if form:
        notation = Notation.of(form)
        numbers = texts[notation.read(texts).notna()]
        found = numbers.str.extract(rf"{re.escape(notation.point)}(\d+)[^\d]*$")[0]
        texts = ("1." + found).fillna("1")
    found = texts.str.extract(r"^\s*[-+]?\d*(?:\.(\d+))?\s*$")[0]
    lengths = found.str.len().fillna(0)[found.notna() | texts.str.fullmatch(r"\s*[-+]?\d+\s*")]
    count = int(lengths.max()) if len(lengths) else 0
    return count if 0 < count <= 18 and bool((lengths == count).all()) else -1


def number_form(texts: pd.Series) -> Found | None:
    """The form that most of these texts have as numbers; None where fewer than MOSTLY have one.

    Args:
        texts: without missing ones.
    """
    few = texts.iloc[:: max(1, len(texts) // FIRST)].iloc[:FIRST].str.strip()
    if few.str.contains(r"\d").mean() < MOSTLY:
        return None
    before, after = _affixes(few)
    inner = few
    for affix, strip in ((before, "removeprefix"), (after, "removesuffix")):
        inner = getattr(inner.str, strip)(affix.strip()).str.strip() if affix.strip() else inner
    best, most, listed = None, 0.0, inner.tolist()
    for thousands, point in NOTATIONS:
        notation = Notation(before, thousands, point, after)
        fits = re.compile(notation.pattern, re.ASCII).fullmatch
        share = sum(1 for text in listed if fits(text)) / len(listed)
        if share > most:
            best, most = notation, share
        if most == 1.0:
            break
    if best is None or most < MOSTLY:
        return None
    best, doubt = _threes(inner, best)
    share = float(best.read(texts).notna().mean())
    form = "" if str(best) == PLAIN else str(best)
    return Found(form, share, doubt) if share >= MOSTLY else None


def _affixes(few: pd.Series) -> tuple[str, str]:
    """A currency or a unit before and after most numbers; '' for none."""
    parts = few.str.extract(r"^([^\d]*?)([-+]?[.,]?\d(?:[\d.,'’ \u00a0\u202f]*\d)?)([^\d]*)$")
    known = parts.dropna()
    if len(known) < MOSTLY * len(few) or not len(known):
        return "", ""
    before = known[0].str.replace(r"[-+]\s*$", "", regex=True).str.replace(r"^[-+]", "", regex=True).value_counts()
    after = known[2].value_counts()
    first, last = str(before.index[0]), str(after.index[0])
    if first.strip() not in CURRENCIES or before.iloc[0] < MOSTLY * len(few):
        first = ""
    if len(last) > 20 or after.iloc[0] < MOSTLY * len(few) or set(last) <= set(".,-+/: "):
        last = ""
    return first, last


def _threes(inner: pd.Series, notation: Notation) -> tuple[Notation, str]:
    """What '1,234' means where every number has one comma (or point) with three digits after it: a guess."""
    if notation.thousands:
        return notation, ""
    mark = re.escape(notation.point)
    marked = inner[inner.str.contains(mark)]
    if not len(marked) or not marked.str.fullmatch(rf"[+-]?[1-9]\d{{0,2}}{mark}\d{{3}}").all():
        return notation, ""
    if inner.str.fullmatch(r"[+-]?\d{4,}").any():
        return notation, ""  # such numbers have no separators here
    if notation.point == ",":
        return Notation(notation.before, ",", ".", notation.after), "1,234 is read as 1234, not as 1.234"
    return notation, "1.234 is read as a decimal number, not as 1234" if len(marked) > 20 else ""
