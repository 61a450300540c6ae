"""Rules as text, for people to confirm, refuse or write, and as JSON, for a model's card."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from ganvas.core.errors import UserError, unknown
from ganvas.tables.rules.base import Range, Rule, Unique
from ganvas.tables.rules.dates import PARTS, DatePart
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Missing, Together

KINDS = {kind.kind: kind for kind in (Formula, Order, DatePart, Range, Unique, Together, Missing)}
MOST_RULES = 2_000
EXAMPLES = (
    "total = net + tax; tax = 0.19 * net; shipped >= ordered; month = month of ordered; country from city; "
    "brand, category occur together; start, end missing together; end missing where status is open; "
    "q7 missing if q6 is no; age between 18 and 90; order, line unique"
)
TOKEN = re.compile(r"`([^`]+)`|(,)|([^\s,`]+)")


def to_toml(found: Iterable[Rule], refused: Iterable[str] = ()) -> dict[str, list[str]]:
    """The table [rules] of a file: `keep`, what drawn rows keep, and `refuse`, the texts of what is true by chance."""
    return {"keep": [rule.text for rule in found], "refuse": list(refused)}


def from_toml(entries: Any, names: Sequence[str]) -> tuple[tuple[Rule, ...], tuple[str, ...]]:
    """The rules to keep, not yet fitted, and the texts of those that are refused.

    Args:
        entries: the table [rules].
        names: the table's columns.

    Raises:
        UserError: an entry is none, a rule cannot be read, or names a column that there is not.
    """
    if not isinstance(entries, dict) or not entries.keys() <= {"keep", "refuse"}:
        raise UserError("[rules] has two lists of texts, 'keep' and 'refuse', and nothing else.")
    lists = [entries.get(key, []) for key in ("keep", "refuse")]
    for texts in lists:
        if not isinstance(texts, list) or not all(isinstance(t, str) for t in texts) or len(texts) > MOST_RULES:
            raise UserError(f"[rules] has two lists of up to {MOST_RULES:,} texts, 'keep' and 'refuse'.")
    return tuple(parse(text, names) for text in lists[0]), tuple(lists[1])


def rules_of(entries: Any) -> tuple[Rule, ...]:
    """The rules of a JSON form.

    Raises:
        UserError: they are none.
    """
    if not isinstance(entries, list) or len(entries) > MOST_RULES:
        raise UserError("its rules are invalid.")
    rules = []
    for entry in entries:
        if not isinstance(entry, dict) or not isinstance(entry.get("kind"), str) or entry["kind"] not in KINDS:
            raise UserError("it has a rule of an unknown kind.")
        rules.append(KINDS[entry["kind"]].read({k: v for k, v in entry.items() if k != "kind"}))
    return tuple(rules)


def parse(text: str, names: Sequence[str]) -> Rule:
    """The rule of a text, not yet fitted; names with spaces or commas are in backquotes.

    Raises:
        UserError: it is none, or names a column that there is not.
    """
    tokens = [(quoted or comma or word, bool(quoted)) for quoted, comma, word in TOKEN.findall(text)]
    rule = _parse(tokens, [word if not quoted else "\0" for word, quoted in tokens])
    if rule is None:
        raise UserError(f"The rule '{text[:200]}' cannot be read; rules are like: {EXAMPLES}.")
    for name in rule.columns:
        if name not in names:
            raise unknown("column", name, names)
    return rule


Tokens: TypeAlias = list[tuple[str, bool]]


def _parse(tokens: Tokens, bare: list[str]) -> Rule | None:
    """`bare`: the tokens, quoted ones as something that is not a word of a rule."""
    ends = {2: tuple(bare[-2:]), 1: tuple(bare[-1:])}
    if ends[2] == ("occur", "together") and (names := _names(tokens[:-2])) and len(names) > 1:
        return Together(names, len(names))
    if ends[2] == ("missing", "together") and (names := _names(tokens[:-2])) and len(names) > 1:
        return Missing(names[1:], names[0])
    if ends[1] == ("unique",) and (names := _names(tokens[:-1])):
        return Unique(names)
    if "missing" in bare and bare[(at := bare.index("missing")) + 1 : at + 2] in (["where"], ["if"]):
        return _missing(tokens, bare, at)
    if "from" in bare:
        at = bare.index("from")
        targets, free = _names(tokens[:at]), _names(tokens[at + 1 :])
        return Together((*free, *targets), len(free)) if targets and free and not {*free} & {*targets} else None
    if len(tokens) == 5 and bare[1] == "between" and bare[3] == "and":
        least, most = _number(bare[2]), _number(bare[4])
        return Range(tokens[0][0], least, most) if least is not None and most is not None and least <= most else None
    if len(tokens) == 3 and bare[1] in (">=", ">", "<=", "<"):
        high, low = (tokens[0][0], tokens[2][0])[:: 1 if bare[1][0] == ">" else -1]
        return Order(low, high, strict="=" not in bare[1]) if low != high else None
    if len(tokens) > 2 and bare[1] == "=":
        return _part(tokens, bare) if "of" in bare else _formula(tokens[0][0], tokens[2:], bare[2:])
    return None


def _names(tokens: Tokens) -> tuple[str, ...]:
    """Comma-separated names; empty: these are not names, or one is there twice."""
    names = tuple(word for word, _ in tokens[::2])
    commas = all(word == "," and not quoted for word, quoted in tokens[1::2])
    return names if commas and len(tokens) % 2 and len({*names}) == len(names) and "," not in names else ()


def _number(word: str) -> float | None:
    try:
        value = float(word)
    except ValueError:
        return None
    return value if abs(value) < 1e300 else None


def _missing(tokens: Tokens, bare: list[str], at: int) -> Rule | None:
    names, rest = _names(tokens[:at]), tokens[at + 2 :]
    if not names or len(rest) < 3 or rest[0][0] in names:
        return None
    leader, words = rest[0][0], bare[at + 3 :]
    one_way = bare[at + 1] == "if"
    if words in (["has", "a", "value"], ["is", "missing"]):
        return None if one_way else Missing(names, leader, "value" if words[0] == "has" else "missing")
    values = _names(rest[2:]) if words[0] == "is" else ()
    return Missing(names, leader, "if" if one_way else "is", values) if values else None


def _part(tokens: Tokens, bare: list[str]) -> Rule | None:
    at = bare.index("of")
    if bare[2:5] in (["day", "of", "year"], ["start", "of", "month"]):
        at = 5
    part, rest = " ".join(bare[2:at]), bare[at + 2 :]
    if part not in PARTS or at + 1 >= len(tokens):
        return None
    zone = ""
    if rest[:1] == ["in"] and len(rest) > 1:
        zone, rest = rest[1], rest[2:]
    if rest and (len(rest) != 2 or rest[0] not in "+-" or not rest[1].isdecimal() or len(rest[1]) > 4):
        return None
    plus = int("".join(rest)) if rest else 0
    return DatePart(tokens[0][0], part, tokens[at + 1][0], zone, plus)


def _formula(target: str, tokens: Tokens, bare: list[str]) -> Rule | None:
    terms: list[tuple[float, str]] = []
    constant, sign, product = 0.0, 1.0, False
    if bare[0] in ("+", "-"):
        sign, tokens, bare = -1.0 if bare[0] == "-" else 1.0, tokens[1:], bare[1:]
    cuts = [-1, *(i for i, word in enumerate(bare) if word in ("+", "-")), len(bare)]
    for start, end in itertools.pairwise(cuts):
        if start >= 0:
            sign = -1.0 if bare[start] == "-" else 1.0
        factors = list(zip(tokens[start + 1 : end], bare[start + 1 : end], strict=True))
        if len(factors) % 2 == 0 or any(word != "*" for _, word in factors[1::2]):
            return None
        factor, names = sign, []
        for (name, _), word in factors[::2]:
            value = _number(word)
            if value is None:
                names.append(name)
            else:
                factor *= value
        if len(names) > 1:
            product = True
            terms += [(factor, names[0]), *((1.0, name) for name in names[1:])]
        elif names:
            terms.append((factor, names[0]))
        else:
            constant += factor
    wrong = product and (len(cuts) > 2 or constant != 0)
    names = [name for _, name in terms]
    if wrong or not terms or target in names or len({*names}) < len(names):
        return None
    return Formula(target, tuple(terms), constant, product)
