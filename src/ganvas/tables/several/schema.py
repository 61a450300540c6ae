"""The tables of a database: their columns with types that any database knows, their keys, how many rows they have.

`database.json` in the folder of a training on several tables holds them. It is read like anything from outside:
every entry is checked.
"""

from __future__ import annotations

import dataclasses
import typing
from dataclasses import dataclass, field
from typing import Any, TypeVar

from ganvas.core.errors import UserError
from ganvas.core.text import one_line
from ganvas.tables.several import terms_of_sql

T = TypeVar("T")
MOST = 1_000  # tables, and columns of one
LARGEST = 10**15  # rows
TYPES = (
    "Boolean", "Integer", "SmallInteger", "BigInteger", "Numeric", "Float", "Double", "String", "Text", "Unicode",
    "UnicodeText", "Date", "DateTime", "Time", "Interval", "Uuid",
)  # fmt: skip
TEXTS = ("String", "Text", "Unicode", "UnicodeText")
NUMBERS = ("Integer", "SmallInteger", "BigInteger", "Numeric", "Float", "Double")
WHOLE = ("Integer", "SmallInteger", "BigInteger")
ACTIONS = ("NO ACTION", "RESTRICT", "CASCADE", "SET NULL", "SET DEFAULT")
OTHER = "Other"  # a type whose values are not read: bytes, JSON, lists


@dataclass(frozen=True)
class SqlColumn:
    """A column as the database declares it.

    type: a generic type of SQLAlchemy, or OTHER; counted: the database numbers new rows there by itself; default: what
    a new row has by default, as `terms_of_sql.default` has it; values: of an enumeration, called `named`.
    """

    name: str
    type: str
    nullable: bool = True
    length: int = 0
    precision: int = 0
    scale: int = 0
    zone: bool = False
    counted: bool = False
    default: str = field(default="", compare=False)
    values: tuple[str, ...] = field(default=(), compare=False)
    named: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if self.default and terms_of_sql.default(self.default, self.type) != self.default:
            raise UserError(f"the column {one_line(self.name)[:60]} has a default that cannot be kept.")
        if self.values and (self.type not in TEXTS or len({*self.values}) != len(self.values) or len(self.named) > 63):
            raise UserError(f"the column {one_line(self.name)[:60]} is an invalid enumeration.")
        if self.type not in (*TYPES, OTHER) or min(self.length, self.precision, self.scale) < 0:
            raise UserError(f"the column {one_line(self.name)[:60]} is of an unknown type.")


@dataclass(frozen=True)
class Key:
    """A foreign key: `columns` of this table are those called `target` in a row of `table`.

    deleted, updated: what the database does when that row is deleted or changed, one of ACTIONS ('': its default).
    """

    columns: tuple[str, ...]
    table: str
    target: tuple[str, ...]
    deleted: str = field(default="", compare=False)
    updated: str = field(default="", compare=False)

    def __post_init__(self) -> None:
        if not {self.deleted, self.updated} <= {"", *ACTIONS}:
            raise UserError(f"a key to {one_line(self.table)[:60]} has an unknown action.")
        if not self.columns or len(self.columns) != len(self.target):
            raise UserError(f"a key to {one_line(self.table)[:60]} has {len(self.columns)} columns.")

    @property
    def name(self) -> str:
        return ", ".join(self.columns)

    def words(self) -> str:
        return f"{one_line(self.name)} -> {one_line(self.table)} ({one_line(', '.join(self.target))})"


@dataclass(frozen=True)
class SqlTable:
    """A table.

    unique: sets of columns of which no two rows have the same values, besides the primary key; checks: what each row
    meets, as `terms_of_sql.condition` has it.
    """

    name: str
    rows: int
    columns: tuple[SqlColumn, ...]
    primary: tuple[str, ...] = ()
    unique: tuple[tuple[str, ...], ...] = ()
    keys: tuple[Key, ...] = ()
    checks: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        names = [column.name for column in self.columns]
        used = {*self.primary, *(n for u in self.unique for n in u), *(n for k in self.keys for n in k.columns)}
        if len({*names}) != len(names) or not used <= {*names} or not 0 <= self.rows <= LARGEST:
            raise UserError(f"the table {one_line(self.name)[:60]} names columns that it does not have.")
        if len(self.checks) > MOST or any(terms_of_sql.condition(check, names) != check for check in self.checks):
            raise UserError(f"the table {one_line(self.name)[:60]} has a CHECK that cannot be kept.")

    def column(self, name: str) -> SqlColumn:
        return next(column for column in self.columns if column.name == name)

    def nullable(self, key: Key) -> bool:
        """May rows be without this key?"""
        return all(self.column(name).nullable and name not in self.primary for name in key.columns)

    def is_unique(self, names: tuple[str, ...]) -> bool:
        """Do these columns tell each row?"""
        return any({*each} <= {*names} for each in (self.primary, *self.unique) if each)


@dataclass(frozen=True)
class Schema:
    """The tables of a database, and sentences for the user."""

    tables: tuple[SqlTable, ...]
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        names = {table.name for table in self.tables}
        if len(names) != len(self.tables) or not 0 < len(names) <= MOST:
            raise UserError(f"it has {len(self.tables)} tables, some of one name.")
        for table in self.tables:
            for key in table.keys:
                if key.table not in names or not {*key.target} <= {c.name for c in self[key.table].columns}:
                    raise UserError(f"the table {one_line(table.name)[:60]} has a key to a table that does not exist.")

    def __getitem__(self, name: str) -> SqlTable:
        return next(table for table in self.tables if table.name == name)


def change(then: Schema, now: Schema) -> str:
    """What is not as it was in the tables of a database, in words; '': nothing. Rows may have come or gone."""

    def names(of: set[str]) -> str:
        return ", ".join(map(one_line, sorted(of)))

    before, after = {t.name: t for t in then.tables}, {t.name: t for t in now.tables}
    for what, odd in (("gone", {*before} - {*after}), ("new", {*after} - {*before})):
        if odd:
            return f"the table {names(odd)} is {what}" if len(odd) == 1 else f"the tables {names(odd)} are {what}"
    for name, table in before.items():
        other = after[name]
        mine, theirs = ({c.name: dataclasses.replace(c, length=0) for c in t.columns} for t in (table, other))
        for what, odd in (("no longer has", {*mine} - {*theirs}), ("now has", {*theirs} - {*mine})):
            if odd:
                return f"the table {one_line(name)} {what} the column{'s' * (len(odd) > 1)} {names(odd)}"
        if odd := {column for column in mine if mine[column] != theirs[column]}:
            return f"in the table {one_line(name)}, {names(odd)} is declared otherwise"
        for what, odd in (("no longer has", {*table.keys} - {*other.keys}), ("now has", {*other.keys} - {*table.keys})):
            if odd:
                return f"the table {one_line(name)} {what} the key {min(key.words() for key in odd)}"
        if (table.primary, {*table.unique}) != (other.primary, {*other.unique}):
            return f"in the table {one_line(name)}, other columns tell the rows apart (PRIMARY KEY, UNIQUE)"
        if [*mine] != [*theirs]:
            return f"in the table {one_line(name)}, the columns are in a different order"
    return ""


def to_json(value: Any) -> Any:
    """The JSON form of these dataclasses: only what is not as it is by itself."""
    if dataclasses.is_dataclass(value):
        return {
            f.name: to_json(getattr(value, f.name)) for f in dataclasses.fields(value)
            if getattr(value, f.name) != f.default
        }  # fmt: skip
    if isinstance(value, tuple | list):
        return [to_json(v) for v in value]
    if isinstance(value, dict):
        return {k: to_json(v) for k, v in value.items()}
    return value


def from_json(kind: type[T], entries: Any, where: str = "") -> T:
    """A dataclass of its JSON form; every entry is checked against its type.

    Raises:
        UserError: one is of another type, or there is none such.
    """
    where = where or kind.__name__
    if not isinstance(entries, dict):
        raise UserError(f"{where} is not a group of entries.")
    hints, fields = typing.get_type_hints(kind), {f.name: f for f in dataclasses.fields(kind)}  # pyright: ignore[reportArgumentType]
    if strange := [str(key) for key in entries if key not in fields]:
        raise UserError(f"{where} has an entry {one_line(strange[0])[:60]!r} that is invalid.")
    needed = [
        n for n, f in fields.items() if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]
    if lost := [name for name in needed if name not in entries]:
        raise UserError(f"{where} lacks the entry {lost[0]}.")
    return kind(**{name: _of(hints[name], value, f"{where}.{name}") for name, value in entries.items()})


def _of(hint: Any, value: Any, where: str) -> Any:
    wrong = UserError(f"{where} is {one_line(value)[:60]!r}, which is not allowed.")
    origin, inner = typing.get_origin(hint), typing.get_args(hint)
    if origin is tuple:
        if not isinstance(value, list) or len(value) > 1_000_000:
            raise wrong
        return tuple(_of(inner[0], v, where) for v in value)
    if origin is dict:
        if not isinstance(value, dict):
            raise wrong
        return {str(k): _of(inner[1], v, where) for k, v in value.items()}
    if hint is Any:
        return value
    if dataclasses.is_dataclass(hint):
        return from_json(hint, value, where)  # pyright: ignore[reportArgumentType]
    if type(value) is not hint and not (hint is float and type(value) is int):
        raise wrong
    return value
