"""The columns of the rows that keys lead to, fitted in their own tables.

They are fitted there and not where they are joined: a customer with ten orders is one row, so what fewer than `rare`
customers have stays rare.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Generator
from typing import TYPE_CHECKING

from ganvas.core.errors import UserError
from ganvas.core.progress import Counted
from ganvas.tables import pack
from ganvas.tables.columns import Column
from ganvas.tables.columns_file import SKIP, single
from ganvas.tables.several.joined import Joined

if TYPE_CHECKING:
    from ganvas.tables.data import DataConfig


def columns(
    config: DataConfig, joined: Joined, fit: Callable[[pack.Looked, DataConfig], tuple[Column, ...]]
) -> Generator[Counted, None, dict[str, Column]]:
    """The columns that are taken from other tables, by their names in the query; those not learned are left out.

    Args:
        fit: what the columns of a table are, from its rows and settings.

    Raises:
        UserError: a table cannot be read.
    """
    found: dict[str, Column] = {}
    said = single(config.kinds)
    for parent in (above for each in joined.parents for above in each.above()):
        titles = parent.titles()
        if not titles:
            continue
        own = Joined(numbered=parent.numbered, only=parent.take, skip=() if parent.take else parent.columns)
        kinds = {name: said[title] for title, name in titles.items() if title in said}
        theirs = dataclasses.replace(config, table=parent.table, related=own.text(), kinds=json.dumps(kinds))
        with theirs.opened() as rows:
            looked = yield from pack.look(rows)
        looked = dataclasses.replace(looked, frame=looked.frame[list(titles.values())])
        try:
            columns = fit(looked, theirs)
        except UserError:  # none of them can be learned
            continue
        known = {column.name: column for column in columns if column.parts}
        found |= {title: dataclasses.replace(known[name], name=title, doubt="")
                  for title, name in titles.items() if name in known}  # fmt: skip
    return found


def left_out(joined: Joined, known: dict[str, Column]) -> dict[str, dict[str, str]]:
    """What is said of the columns from other tables that are not learned."""
    titles = {title for parent in joined.parents for above in parent.above() for title in above.titles()}
    return {title: {"kind": SKIP} for title in sorted(titles - known.keys())}
