"""What a model of a table is exported as: its generator as ONNX, and what its tokens mean as JSON."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as f

from ganvas.core import seeds
from ganvas.core.exports import Exports, OnnxNetwork
from ganvas.core.text import one_line
from ganvas.tables.cells import NEVER, Cells
from ganvas.tables.columns import Column
from ganvas.tables.rules.base import Rule
from ganvas.tables.rules.formula import Formula
from ganvas.tables.rules.limits import RuleLimits
from ganvas.tables.rules.order import Order
from ganvas.tables.rules.together import Missing, Together
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.network import Generator

if TYPE_CHECKING:
    from ganvas.tasks.table.model import TableModel

FORM = ("kind", "type", "decimals", "step", "earliest", "latest")
WRITTEN = ("digits", "form", "zone")  # of a column as it stands in the table
KNOWN = ("recipe", "images", "data_name", "fingerprint", "licence", "network")  # of the model's card
PROGRAM = Path(__file__).with_name("program")
TRIES = 200  # as the runner has it
README = """# A generator of rows

`generator.onnx` draws rows of a table like {name} ({rows:,} columns). It takes, for B rows of {tokens} tokens:

- `noise` float32 [B, {tokens}]: uniform numbers from 0 to 1, the last not included;
- `rows` int64 [B, {tokens}] and `given` bool [B, {tokens}]: tokens that are given, and which; any columns can be;
- `allowed` bool [B, {values}]: which values each token may have, token after token; all true: any;

and gives `tokens` int64 [B, {tokens}] and `place` float32 [B, {tokens}]: where in its cell a number lies, 0 to 1.
`columns.json` says what the tokens mean, `rows.py` (with `row_values.py` and `row_rules.py`) makes rows of them with
NumPy and ONNX Runtime alone, in which each cell is written as in the table; ids and free texts are left empty.

```console
$ pip install numpy onnxruntime
$ python rows.py 1000{given} > rows.csv
```
"""


class Drawing(nn.Module):
    """`Generator.draw` without branches: noise, rows, given, allowed -> tokens and places, both [B, tokens]."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.first: list[int] = generator.first.tolist()

    def forward(self, noise: Tensor, rows: Tensor, given: Tensor, allowed: Tensor) -> tuple[Tensor, Tensor]:
        net = self.generator
        tokens = torch.where(given, rows, 0)
        ahead = net.of_given(tokens) * given[..., None]
        after = ahead.sum(1)
        known = torch.zeros_like(after)
        done, places = list(tokens.unbind(1)), []
        for i, size in enumerate(net.sizes):
            after = after - ahead[:, i]
            hidden = f.silu(known + torch.addmm(net.start[i], after, net.weight0[i]))
            inner = f.silu(torch.addmm(net.bias1[i], hidden, net.weight1[i]))
            hidden = hidden + f.silu(torch.addmm(net.bias2[i], inner, net.weight2[i]))
            drawn = torch.stack(done, 1)
            logits = hidden @ net.heads[i] + net._prior(i, drawn)
            if net.rare[i] is not None:
                logits = torch.where(torch.arange(size) == net.rare[i], NEVER, logits)
            may = allowed[:, self.first[i] : self.first[i] + size]
            logits = torch.where(may, logits, 10 * NEVER)
            shares = logits.softmax(1).cumsum(1)
            mark = noise[:, i : i + 1] * shares[:, -1:]
            token = (shares <= mark).sum(1, keepdim=True).clamp_max(size - 1)
            token = torch.where(may.gather(1, token), token, logits.argmax(1, keepdim=True))  # where a sum was rounded
            below = torch.where(token > 0, shares.gather(1, (token - 1).clamp_min(0)), 0.0)
            inside = (mark - below) / (shares.gather(1, token) - below).clamp_min(1e-9)
            places.append(torch.where(given[:, i], noise[:, i], inside[:, 0].clamp_min(0.0).clamp_max(1 - 1e-6)))
            done[i] = torch.where(given[:, i], tokens[:, i], token[:, 0])
            known = known + net.values.weight[done[i] + self.first[i]]
            if i in net.numbers.last:
                known = known + net.numbers.part(net.numbers.last[i], torch.stack(done, 1))
        return torch.stack(done, 1), torch.stack(places, 1)


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
    """What is written beside the network."""
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

    A column that is not learned as it stands in the table says under `learned` what its parts are of. `gaps`: tokens
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
