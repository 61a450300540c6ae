"""What a table is read with: which columns of the rows that its keys lead to, and how many rows lead to it."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ganvas.core.text import one_line
from ganvas.tables.several import keys
from ganvas.tables.several.joined import Count, Joined, Numbered, Parent
from ganvas.tables.several.known import LEARNED, Known, free
from ganvas.tables.several.plan import TablePlan, Tie
from ganvas.tables.several.schema import TEXTS, Key, SqlTable

if TYPE_CHECKING:
    from ganvas.tables.data import DataConfig

MOST_TAKEN = 40  # columns of the rows that keys lead to


def joined(known: Known, table: SqlTable, ties: tuple[Tie, ...], skip: tuple[str, ...]) -> Joined:
    """What is read with a table; at most MOST_TAKEN columns of others, the nearest first."""
    counts = _counts(known, table)
    taken = {column.name for column in table.columns} | {count.name for count in counts}
    titles = {tie.name for tie in ties}
    parents: dict[str, list[Parent]] = {"first": [], "other": []}
    numbered = []
    for tie in ties:
        key = tie.key
        if tie.role == "row":
            made = known.done[key.table].way == "made"
            numbered.append(Numbered(key.columns, key.table, key.target, tie.name, made))
        elif tie.role in parents:
            there = ""
            if tie.role == "other" and tie.there < 1 and table.nullable(key):
                there = free(f"{tie.name} (there)", taken)
            parents[tie.role].append(dataclasses.replace(_parent(known, key, tie.name, titles), there=there))
    whole = [*parents["first"], *parents["other"]]
    kept = _nearest(whole)
    lost = sum(len(p.titles()) for parent in whole for p in parent.above()) - len(kept)
    if lost > 0:
        known.notes.append(f"{one_line(table.name)} is learned with {len(kept)} columns of the rows that its keys "
                           f"lead to; {lost} more distant ones are left out.")  # fmt: skip
        parents = {role: [_cut(parent, kept) for parent in each] for role, each in parents.items()}
    first = next((tie for tie in ties if tie.role == "first"), None)
    position = free(f"{first.name} (position)", taken) if first is not None and table.primary else ""
    return Joined(tuple(parents["first"]), tuple(parents["other"]), tuple(numbered), counts, position, skip)


def _counts(known: Known, table: SqlTable) -> tuple[Count, ...]:
    children = [t for t in known.schema.tables if t.name not in known.copied]
    return tuple(
        Count(child.name, key.columns, key.target, keys.count_name(known, child.name, key))
        for child in children for key in child.keys if key.table == table.name
    )  # fmt: skip


def _parent(known: Known, key: Key, name: str, titles: set[str]) -> Parent:
    """The columns of the row that a key leads to, and of those that its keys lead to.

    Args:
        titles: the names of all parents of the table so far; those of this one's parents are added.
    """
    plan, table = known.done[key.table], known.schema[key.table]
    skip = {*plan.joined.skip, *plan.ids, *table.primary}
    kinds = known.kinds.get(key.table, {}) if plan.way == "learned" else {}
    take = [c.name for c in table.columns
            if c.name not in skip and c.name in kinds and kinds[c.name].kind in (*LEARNED, "constant")]  # fmt: skip
    above = [tie for tie in plan.ties if plan.way == "learned" and tie.role in ("first", "other")]
    named = [free(tie.name if tie.name not in titles else f"{name}.{tie.name}", titles) for tie in above]
    parents = tuple(_parent(known, tie.key, title, titles) for tie, title in zip(above, named, strict=True))
    numbered = plan.joined.numbered if plan.way == "learned" else ()
    return Parent(key.columns, key.table, key.target, name, tuple(take), "", numbered, parents)


def _nearest(parents: list[Parent]) -> list[str]:
    """The titles of the columns that are taken: those of the parents, then of theirs, up to MOST_TAKEN."""
    found: list[str] = []
    level = parents
    while level:
        found += [title for parent in level for title in parent.titles()]
        level = [above for parent in level for above in parent.parents]
    return found[:MOST_TAKEN]


def _cut(parent: Parent, kept: list[str]) -> Parent:
    return dataclasses.replace(
        parent,
        take=tuple(name for name in parent.take if f"{parent.name}.{name}" in kept),
        numbered=tuple(one for one in parent.numbered if f"{parent.name}.{one.name}" in kept),
        parents=tuple(_cut(above, kept) for above in parent.parents),
    )


def said_of(plan: TablePlan, table: SqlTable, config: DataConfig) -> dict[str, dict[str, Any]]:
    """What is said of the columns of a table's query: by its keys, and by the user as column.TABLE.NAME=KIND."""
    joined = plan.joined
    found: dict[str, dict[str, Any]] = {}
    for name in plan.ids:  # texts of digits stay as long as they are
        found[name] = {"kind": "id"} | ({"type": "text"} if table.column(name).type in TEXTS else {})
    found |= {one.name: {"kind": "category"} for one in joined.numbered}
    found |= {count.name: {"kind": "number"} for count in joined.counts}
    found |= {parent.there: {"kind": "category"} for parent in joined.others if parent.there}
    if joined.position:
        found[joined.position] = {"kind": "number"}
    places = [(plan.name, "")]
    for parent in joined.parents:
        for above in parent.above():
            places.append((above.table, f"{above.name}."))
            found |= {f"{above.name}.{one.name}": {"kind": "category"} for one in above.numbered}
    for name, entries in config.said().items():
        for title, prefix in places:
            if name.startswith(f"{title}."):
                found[prefix + name[len(title) + 1 :]] = entries
    return found
