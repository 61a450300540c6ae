"""Conditions (CHECK) and default values of a database's columns, as far as they are safe to give to another database.

They come from a database or from a run's files, and run in the user's database: so only what consists of the table's
columns, plain values, operators and functions that are known here is taken. It cannot contain a statement.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection

LONGEST = 4_000  # characters of a condition
COMMENT = re.compile(r"--[^\n]*|/\*.*?\*/|\s+", re.DOTALL)
TERM = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|\d+(?:\.\d*)?(?:[eE][+-]?\d+)?|\.\d+|\w+|::|<>|<=|>=|!=|\|\||.""", re.S
)
SIGNS = {"(", ")", ",", "=", "<>", "<=", ">=", "!=", "<", ">", "+", "-", "*", "/", "%", "||"}
WORDS = {
    "and", "or", "not", "in", "is", "null", "between", "like", "case", "when", "then", "else", "end", "true", "false",
}  # fmt: skip
FUNCTIONS = {"length", "char_length", "lower", "upper", "trim", "abs", "round", "coalesce", "nullif", "substr"}
MOMENTS = {"current_timestamp", "current_date", "current_time"}
TEXT_TYPES = {"text", "character varying", "varchar", "bpchar", "character"}


def terms(text: str) -> list[str]:
    """The terms of SQL: names, values, signs; without comments and spaces."""
    found, at = [], 0
    while at < len(text):
        here = COMMENT.match(text, at) or TERM.match(text, at)
        assert here is not None  # TERM takes any sign
        if here.re is TERM:
            found.append(here.group())
        at = here.end()
    return found


def condition(text: str, columns: Collection[str]) -> str:
    """A condition as it is kept, with its columns in double quotes; '': it has something that is not known here."""
    found = _in_instead_of_any(_without_casts(terms(text[: LONGEST + 1])))
    names, depth, out = {name.lower(): name for name in columns}, 0, []
    for i, term in enumerate(found):
        called = i + 1 < len(found) and found[i + 1] == "("
        low = term.lower()
        if term[0] == '"' and len(term) > 1:
            name = term[1:-1].replace('""', '"')
            if name not in names.values():  # SQLite takes it as a text
                return ""
            out.append(term)
        elif term[0] == "'" and len(term) > 1 and "\\" not in term and "\0" not in term:
            out.append(term)
        elif low in WORDS:
            out.append(low.upper())
        elif called and low in FUNCTIONS:
            out.append(low)
        elif low in names and not called:
            out.append(quoted(names[low]))
        elif term in SIGNS or (term[0] in ".0123456789" and term != "." and term.isascii()):
            depth += (term == "(") - (term == ")")
            out.append(term)
        else:
            return ""
        if depth < 0:
            return ""
    kept = " ".join(out)
    return "" if depth or len(kept) > LONGEST else kept


def conditions(create: str) -> list[str]:
    """The conditions in a statement that makes a table, as they are written in it."""
    found, all_terms = [], terms(create)
    for i, term in enumerate(all_terms):
        if term.lower() == "check" and all_terms[i + 1 : i + 2] == ["("]:
            depth, end = 0, i + 1
            for end in range(i + 1, len(all_terms)):
                depth += (all_terms[end] == "(") - (all_terms[end] == ")")
                if not depth:
                    break
            found.append(" ".join(all_terms[i + 2 : end]))
    return found


def in_dialect(kept: str, quote: Callable[[str], str]) -> str:
    """A kept condition with the columns as a database writes them."""
    found = (quote(t[1:-1].replace('""', '"')) if t[0] == '"' else t for t in terms(kept))
    return " ".join(found)


def default(text: str, type_: str) -> str:
    """A default value as it is kept: a plain value, or a moment such as CURRENT_DATE; '': it is another.

    Args:
        type_: of the column, a generic one of SQLAlchemy.
    """
    found = _without_casts(terms(text[: LONGEST + 1]))
    while len(found) > 2 and (found[0], found[-1]) == ("(", ")"):
        found = found[1:-1]
    if [t.lower() for t in found] == ["now", "(", ")"]:
        found = ["CURRENT_TIMESTAMP"]
    kept = "".join(found)
    bare = kept[1:-1] if kept.startswith("'") and len(found) == 1 else kept
    if type_ == "Boolean":
        return {"0": "false", "1": "true", "f": "false", "t": "true"}.get(bare, bare.lower()) if bare.lower() in (
            "0", "1", "true", "false", "t", "f") else ""  # fmt: skip
    if type_ in ("Integer", "SmallInteger", "BigInteger", "Numeric", "Float", "Double"):
        whole = r"[+-]?\d{1,18}" if type_.endswith("Integer") else r"[+-]?\d{1,30}(\.\d{0,30})?"
        return bare if re.fullmatch(whole, bare, re.ASCII) else ""
    if type_ in ("Date", "DateTime", "Time"):
        moment = {"Date": "current_date", "DateTime": "current_timestamp", "Time": "current_time"}[type_]
        plain = kept.startswith("'") and re.fullmatch(r"[\d:. +-]{4,40}", bare, re.ASCII)
        return kept if plain else kept.upper() if kept.lower() == moment else ""
    if type_ in ("String", "Text", "Unicode", "UnicodeText") and len(found) == 1 and kept[0] == "'" and len(kept) > 1:
        return "" if "\\" in kept or "\0" in kept else kept
    return ""


def quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _without_casts(found: list[str]) -> list[str]:
    """Without PostgreSQL's casts of plain values and lists, and those to texts: `'a'::plan` is 'a'. Others stay."""
    out: list[str] = []
    i = 0
    while i < len(found):
        if found[i] != "::":
            out.append(found[i])
            i += 1
            continue
        end = i + 2
        while found[end : end + 1] == ["."]:
            end += 2
        if found[end : end + 1] and found[end].lower() in ("varying", "precision", "with", "without"):
            end += 1 if found[end].lower() in ("varying", "precision") else 3
        kind = " ".join(found[i + 1 : end]).lower()
        if found[end : end + 1] == ["("] and ")" in found[end:]:
            end = found.index(")", end) + 1
        if found[end : end + 2] == ["[", "]"]:
            end += 2
        plain = bool(out) and (out[-1][0] in "'0123456789]" or out[-1].lower() == "null")
        if not plain and kind not in TEXT_TYPES:
            out.append("::")
            i += 1
            continue
        i = end
        if len(out) > 2 and out[-3] == "(" and out[-1] == ")":  # (status)::text
            out[-3:] = [out[-2]]
    return out


def _in_instead_of_any(found: list[str]) -> list[str]:
    """`x = ANY (ARRAY['a', 'b'])`, as PostgreSQL writes it, is x IN ('a', 'b')."""
    out: list[str] = []
    i = 0
    while i < len(found):
        head = [t.lower() for t in found[i : i + 3]]
        start = i + 3
        wrapped = found[start : start + 1] == ["("]  # = ANY ((ARRAY[...])::text[])
        begins = found[start + wrapped : start + wrapped + 2]
        if head == ["=", "any", "("] and [t.lower() for t in begins] == ["array", "["] and "]" in found[start:]:
            end = found.index("]", start)
            if found[end + 1 : end + 2 + wrapped] == [")"] * (1 + wrapped):
                out += ["IN", "(", *found[start + wrapped + 2 : end], ")"]
                i = end + 2 + wrapped
                continue
        out.append(found[i])
        i += 1
    return out
