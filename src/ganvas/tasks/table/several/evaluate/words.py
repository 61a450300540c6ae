"""What the figures of a database mean, in plain words: for the terminal and for the report."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from ganvas.core.text import one_line
from ganvas.tasks.table.evaluate.words import Read, told_apart


def protocol(shared: Sequence[str]) -> str:
    """What is compared with what.

    Args:
        shared: the tables whose rows both halves of the real database have in common.
    """
    common = (
        f" Both halves have the same {', '.join(map(one_line, shared))}, and a drawn database has its own: in columns "
        "that come from there it cannot be as similar to one half as the other half is."
    )
    return (
        "Compared with each other: the rows that a key leads to in one half of the real database with everything that "
        "belongs to them, as many drawn ones, and those of the other half. Halves are made of the rows that no key "
        "leads from, at random, differently in each repeat. The models were trained on both halves, except for the "
        f"rows that each held out.{common if shared else ''}"
    )


def said(figures: Mapping[str, Read]) -> list[str]:
    """Sentences on how good drawn databases are."""

    def known(name: str) -> Read | None:
        found = figures.get(name)
        return None if found is None or math.isnan(found.value) else found

    lines = []
    if f := known("keys"):
        nowhere = f"{1 - f.value:.2%} of the keys of drawn rows lead to no row: this is an error."
        lines.append("Every key of a drawn row leads to a row." if f.value == 1 else nowhere)
    if f := known("repeated-keys"):
        lines.append(
            "No primary key and no UNIQUE value is there twice."
            if not f.value else f"{f.value:,.0f} rows repeat a primary key or a UNIQUE value: this is an error."
        )  # fmt: skip
    if f := known("broken-across"):
        lines.append(
            "Sums and rules over several tables hold in every drawn row."
            if not f.value
            else f"Sums and rules over several tables are broken in {f.value:,.0f} drawn rows; in as many real ones: "
            f"{f.floor:,.0f}."
        )
    if f := known("children"):
        lines.append(
            f"The numbers of child rows per parent row are {f.value:.1%} alike, a mean over keys; in the other half of "
            f"the real database {f.floor:.1%}."
        )
    if f := known("family-trend"):
        lines.append(
            f"The tables of a column of a row and one of the row that its key leads to are {f.value:.1%} alike; in the "
            f"other real half {f.floor:.1%}."
        )
    if f := known("family-c2st"):
        lines.append(
            "A fresh expert sees rows, each with a summary of those that lead to it (how many, means, commonest "
            f"values). {told_apart(f.value, f.floor)}"
        )
    return lines
