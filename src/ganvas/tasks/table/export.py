"""What a model of a table is exported as: its generator as ONNX, and what its tokens mean as JSON."""

from __future__ import annotations

import copy
import dataclasses
import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.exports import Exports, OnnxNetwork
from ganvas.core.text import one_line
from ganvas.tables.cells import Cells
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.limits import RuleLimits
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Missing, Together
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.network import Generator
from ganvas.tasks.table.onnx_graph import graph

if TYPE_CHECKING:
    from ganvas.tasks.table.model import TableModel

FORM = ("kind", "type", "decimals", "step", "earliest", "latest")
WRITTEN = ("digits", "form", "zone")  # of a column as it is in the table
KNOWN = ("recipe", "images", "data_name", "fingerprint", "licence", "network")  # of the model's card
PROGRAM = Path(__file__).with_name("program")
TRIES = 200  # as the runner has it
README = """# A generator of rows

`generator.onnx` draws rows of a table like {name} ({rows:,} columns). It takes, for B rows of {tokens} tokens:

- `noise` float32 [B, {tokens}]: uniform numbers from 0 to 1, the last not included;
- `rows` int64 [B, {tokens}] and `given` bool [B, {tokens}]: tokens that are given, and which; any columns can be;
- `allowed` bool [B, {values}]: which values each token may have, token after token; all true: any, also the one that
  stands for values that few rows have (`specials` in `columns.json`; `rows.py` draws such cells again);

and gives `tokens` int64 [B, {tokens}] and `place` float32 [B, {tokens}]: where in its cell a number is, 0 to 1.
`columns.json` says what the tokens mean, `rows.py` (with `row_values.py` and `row_rules.py`) makes rows of them with
NumPy and ONNX Runtime alone, in which each cell is written as in the table; ids and free texts are left empty.

```console
$ pip install numpy onnxruntime
$ python rows.py 1000{given} > rows.csv
```
"""


@dataclass(frozen=True, eq=False)
class Allowed:
    """As `Limits`: which values each token may have, bool [B, values of all tokens]."""

    values: Tensor
    first: list[int]

    def start(self, rows: Tensor, given: Tensor | None) -> Allowed:
        return self

    def allowed(self, place: int, size: int) -> Tensor:
        return self.values[:, self.first[place] : self.first[place] + size]

    def drawn(self, place: int, tokens: Tensor) -> None:
        pass


class Drawing(nn.Module):
    """`Generator.draw` as it is exported: noise, rows, given, allowed -> tokens and places, both [B, tokens]."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator

    def forward(self, noise: Tensor, rows: Tensor, given: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        limits = Allowed(allowed, self.generator.first.tolist())
        tokens, place = self.generator.draw(noise, rows, given, rare=True, limits=limits)
        return tokens, torch.where(given, noise, place)


def exports(model: TableModel) -> Exports:
    """`generator.onnx`, `columns.json` with what its tokens mean, and a README with a program that draws rows."""
    spec, width = model.spec, len(model.spec.sizes)
    drawing = Drawing(copy.deepcopy(model.generator).cpu())

    def inputs(n: int) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        source, count = seeds.generator(n, "export"), 8 * n
        rows = (torch.rand(count, width, generator=source) * torch.tensor([min(s, 2) for s in spec.sizes])).long()
        given = torch.zeros(count, width, dtype=torch.bool)
        given[::2, spec.places[spec.learned[-1].name]] = True  # in half of the rows
        noise, allowed = (
            torch.rand(count, width, generator=source),
            torch.ones(count, sum(spec.sizes), dtype=torch.bool),
        )
        allowed[::3, sum(spec.sizes[:-1])] = False  # a value of the last token
        with torch.inference_mode():  # rows first whose noise is not where one token ends and the next begins
            edge = (drawing(noise, rows, given, allowed)[1] - 0.5).abs().amax(1) > 0.4999
        chosen = edge.int().argsort(stable=True)[:n].sort().values
        return noise[chosen], rows[chosen], given[chosen], allowed[chosen]

    network = OnnxNetwork(
        "generator.onnx",
        drawing,
        inputs,
        ("noise", "rows", "given", "allowed"),
        ("tokens", "place"),
        {name: model.card[name] for name in KNOWN if name in model.card},
        close=1e-2,  # of a place, which is a quotient of small differences; tokens are whole numbers
        graph=lambda: graph(drawing.generator),
    )
    return Exports((network,), None, " ".join(kept(spec)), lambda: files(model))


def kept(spec: TableSpec) -> list[str]:
    """Sentences on how the exported program keeps the table's rules; none where there are no rules."""
    if not spec.rules:
        return []
    names = ", ".join(one_line(name) for rule in spec.rules for name in rule.forms if name in rule.targets)
    rest = [rule for rule in spec.rules if not rule.targets]
    by = "; ".join(one_line(rule.text) for rule in rest if isinstance(rule, Together | Missing))
    again = "; ".join(one_line(rule.text) for rule in rest if not isinstance(rule, Together | Missing))
    said = [f"rows.py computes by rules of the table: {names}."] if names else []
    said += [f"It draws only what keeps: {by}."] if by else []
    said += [f"It draws rows again, {TRIES} times at most, that do not keep: {again}."] if again else []
    return [*said, "generator.onnx alone keeps no rules."]


def files(model: TableModel) -> dict[str, bytes]:
    """What is written next to the network."""
    from ganvas.tasks.table.card import condition

    spec, where = model.spec, condition(model)
    given = f" '{where}'" if where else ""
    text = README.format(
        name=model.card["data_name"],
        rows=len(spec.columns),
        tokens=len(spec.sizes),
        values=sum(spec.sizes),
        given=given,
    )
    if lines := kept(spec):
        text += "\n## Rules of the table\n\n" + "".join(f"- {line}\n" for line in lines)
    return {
        "columns.json": json.dumps(decoding(spec), separators=(",", ":")).encode(),
        **{name: (PROGRAM / name).read_bytes() for name in ("rows.py", "row_values.py", "row_rules.py")},
        "README.md": text.encode(),
    }


def decoding(spec: TableSpec) -> dict[str, Any]:
    """What the tokens mean, as JSON: the columns in order, of each the parts with their tokens, and the rules in the
    order in which they are applied.

    A column that is not learned as it is in the table says under `learned` what its parts are of. `gaps`: tokens
    that are alike in whether they say that a column is missing: pairs of a token's place and its values that say so.
    """
    learned = {column.name: column for column in spec.learned}
    each = [_column(column, learned.get(column.name)) for column in spec.columns]
    found = [gap for gap in RuleLimits.of(spec).gaps if gap.leader is None]  # rows against the others are drawn again
    gaps = [[[place, says.nonzero()[:, 0].tolist()] for place, says in gap.members] for gap in found]
    return {"columns": each, "rules": [_rule(rule) for rule in spec.rules], "gaps": gaps}


def _column(column: Column, learned: Column | None) -> dict[str, Any]:
    entries: dict[str, Any] = {name: getattr(column, name) for name in ("name", *FORM, *WRITTEN)}
    if column.kind == "constant":
        entries["value"] = column.value
    form = {name: getattr(learned or column, name) for name in FORM}
    entries["learned"] = {name: value for name, value in form.items() if value != entries[name]}
    return entries | {"parts": [_part(part) for part in learned.parts] if learned else []}


def _rule(rule: Rule) -> dict[str, Any]:
    """A rule with all its entries, also those that are as they are by themselves; forms are with the columns."""
    entries = {f.name: getattr(rule, f.name) for f in dataclasses.fields(rule) if f.name not in ("form", "learned")}
    if isinstance(rule, Formula):
        entries["gaps"] = rule.form is not None
    elif isinstance(rule, Order):
        entries["distance"] = rule.form is not None
    return {"kind": rule.kind, "text": rule.text, **entries}


def _part(part: Cells) -> dict[str, Any]:
    """Cell c is the c-th value, or numbers from low[c] to high[c]; the cells after those are rare and missing ones."""
    entries = {"values": list(part.values)} if part.is_category else {"low": list(part.low), "high": list(part.high)}
    starts = [int(x) for x in part.starts]
    return {
        "tokens": len(part.sizes),
        "sizes": list(part.sizes),
        "specials": list(part.specials),
        "cells": len(part.counts),
        "starts": starts,
        "base": part.base,
        "step": part.step,
        **entries,
    }
