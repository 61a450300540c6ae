"""Conditions on rows, `country=NL,plan=gold|silver,age>=65,city=` or in Python, as terms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ganvas.core.errors import UserError
from ganvas.core.text import one_line

SIGNS = ("<=", ">=", "<", ">", "=")


@dataclass(frozen=True)
class Term:
    """One condition: a column, a sign of SIGNS, and the values as text, of which one must hold; '': missing."""

    column: str
    sign: str
    values: tuple[str, ...]

    def __str__(self) -> str:
        return one_line(f"{self.column}{self.sign}{'|'.join(self.values)}")


def parse(where: str | Mapping[str, Any]) -> list[Term]:
    """Conditions as terms.

    Args:
        where: 'country=NL,age>=65': a column, one of SIGNS and values with | between them; nothing after = means a
            missing cell; names and values with commas, signs or spaces at an end must be in double quotes. Or a
            dictionary of values by column, each a value, None (missing) or a list of these.

    Raises:
        UserError: it is not a condition.
    """
    if not isinstance(where, str):
        return [Term(str(name), "=", _values(value)) for name, value in where.items()]
    return [_term(text) for text in _split(where, ",") if "".join(c for c, _ in text).strip()]


def _values(value: Any) -> tuple[str, ...]:
    several = isinstance(value, list | tuple | set | frozenset | np.ndarray)
    each = list(value) if several else [value]
    if not each:
        raise UserError("A condition names no value: give one, or a list of them.")
    return tuple(
        "" if v is None or v != v else str(v) for v in (sorted(each, key=str) if isinstance(value, set) else each)
    )


Marked = list[tuple[str, bool]]  # characters, and whether each was in quotes


def _split(text: str | Marked, mark: str) -> list[Marked]:
    """The parts of a text between marks outside of quotes."""
    parts: list[Marked] = [[]]
    for char, quoted in _marked(text) if isinstance(text, str) else text:
        if char == mark and not quoted:
            parts.append([])
        else:
            parts[-1].append((char, quoted))
    return parts


def _marked(text: str) -> Marked:
    out: Marked = []
    inside, i = False, 0
    while i < len(text):
        if text[i] == '"' and inside and text[i + 1 : i + 2] == '"':  # two are one
            out.append(('"', True))
            i += 1
        elif text[i] == '"':
            inside = not inside
            out.append(("", True))  # '""' is a value, the empty one
        else:
            out.append((text[i], inside))
        i += 1
    if inside:
        raise UserError(f'The condition {one_line(text)[:80]} has a quotation mark (") that is not closed.')
    return out


def _plain(chars: Marked) -> str:
    """The text, without spaces at its ends that are not in quotes."""
    while chars and not chars[0][1] and chars[0][0].isspace():
        chars = chars[1:]
    while chars and not chars[-1][1] and chars[-1][0].isspace():
        chars = chars[:-1]
    return "".join(c for c, _ in chars)


def _term(chars: Marked) -> Term:
    for i, (char, quoted) in enumerate(chars):
        if quoted or char not in "<>=":
            continue
        wide = char != "=" and i + 1 < len(chars) and chars[i + 1] == ("=", False)
        sign, rest = (char + "=", chars[i + 2 :]) if wide else (char, chars[i + 1 :])
        name, values = _plain(chars[:i]), tuple(map(_plain, _split(rest, "|")))
        if name and name[-1] == "!" and not chars[i - 1][1]:
            break
        if name:
            return Term(name, sign, values)
    text = one_line("".join(c for c, _ in chars))[:80]
    raise UserError(
        f"'{text}' is not a condition: write COLUMN=VALUE, COLUMN=VALUE|VALUE, COLUMN>=VALUE (or >, <, <=), COLUMN= "
        "for a missing cell, with commas between conditions."
    )
