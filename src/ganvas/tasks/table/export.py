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
from ganvas.tables.rules.together import Together
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table.network import Generator

if TYPE_CHECKING:
    from ganvas.tasks.table.model import TableModel

KNOWN = ("recipe", "images", "data_name", "fingerprint", "licence", "network")  # of the model's card
RUNNER = Path(__file__).with_name("runner.py")
README = """# A generator of rows

`generator.onnx` draws rows of a table like {name} ({rows:,} columns). It takes, for B rows of {tokens} tokens:

- `noise` float32 [B, {tokens}]: uniform numbers from 0 to 1, the last not included;
- `rows` int64 [B, {tokens}] and `given` bool [B, {tokens}]: tokens that are given, and which; any columns can be;

and gives `tokens` int64 [B, {tokens}] and `place` float32 [B, {tokens}]: where in its cell a number lies, 0 to 1.
`columns.json` says what the tokens mean, `rows.py` makes rows of them with NumPy and ONNX Runtime alone:

```console
$ pip install numpy onnxruntime
$ python rows.py 1000{given} > rows.csv
```

`rows.py`:

```python
{code}```
"""


class Drawing(nn.Module):
    """`Generator.draw` without branches: noise, rows, given -> tokens int64 [B, tokens], place float [B, tokens]."""

    def __init__(self, generator: Generator) -> None:
        super().__init__()
        self.generator = generator
        self.first: list[int] = generator.first.tolist()

    def forward(self, noise: Tensor, rows: Tensor, given: Tensor) -> tuple[Tensor, Tensor]:
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
            shares = logits.softmax(1).cumsum(1)
            mark = noise[:, i : i + 1] * shares[:, -1:]
            token = (shares <= mark).sum(1, keepdim=True).clamp_max(size - 1)
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

    def inputs(n: int) -> tuple[Tensor, Tensor, Tensor]:
        source, count = seeds.generator(n, "export"), 8 * n
        rows = (torch.rand(count, width, generator=source) * torch.tensor([min(s, 2) for s in spec.sizes])).long()
        given = torch.zeros(count, width, dtype=torch.bool)
        given[::2, spec.places[spec.learned[-1].name]] = True  # in half of the rows
        noise = torch.rand(count, width, generator=source)
        with torch.inference_mode():  # rows first whose noise is not where one token ends and the next begins
            edge = (drawing(noise, rows, given)[1] - 0.5).abs().amax(1) > 0.4999
        chosen = edge.int().argsort(stable=True)[:n].sort().values
        return noise[chosen], rows[chosen], given[chosen]

    network = OnnxNetwork(
        "generator.onnx",
        drawing,
        inputs,
        ("noise", "rows", "given"),
        ("tokens", "place"),
        {name: model.card[name] for name in KNOWN if name in model.card},
        close=1e-2,  # of a place, which is a quotient of small differences; tokens are whole numbers
    )
    return Exports((network,), None, " ".join(without(spec)), lambda: files(model))


def without(spec: TableSpec) -> list[str]:
    """Sentences on what the exported program does not do of the table's rules; none where there are no rules."""
    left, broken = computed(spec), [rule.text for rule in spec.rules if not {*rule.columns} & {*computed(spec)}]
    said = []
    if left:
        names = ", ".join(map(one_line, left))
        said.append(f"Left empty, as rules of the table compute them, which this program does not know: {names}.")
    if broken:
        said.append(f"Its rows need not keep: {'; '.join(map(one_line, broken))}.")
    return said and [*said, "Rows that keep all rules come from `ganvas sample`."]


def computed(spec: TableSpec) -> list[str]:
    """The columns whose values are not what the networks draw, but computed from it by rules."""
    known = {name for rule in spec.rules if isinstance(rule, Together) for name in rule.free}
    return [name for name in dict.fromkeys(n for rule in spec.rules for n in rule.forms) if name not in known]


def files(model: TableModel) -> dict[str, bytes]:
    """What is written beside the network."""
    from ganvas.tasks.table.card import condition

    spec, where, code = model.spec, condition(model), RUNNER.read_text(encoding="utf-8")
    given = f" '{where}'" if where else ""
    text = README.format(
        name=model.card["data_name"], rows=len(spec.columns), tokens=len(spec.sizes), given=given, code=code
    )
    if lines := without(spec):
        text += "\n## Rules of the table\n\n" + "".join(f"- {line}\n" for line in lines)
    return {
        "columns.json": json.dumps(decoding(spec), indent=1).encode(),
        "rows.py": code.encode(),
        "README.md": text.encode(),
    }


def decoding(spec: TableSpec) -> dict[str, Any]:
    """What the tokens mean, as JSON: the columns in order, and of each the parts with their tokens."""
    learned, left = {column.name: column for column in spec.learned}, computed(spec)
    bare = {c.name: dataclasses.replace(c, parts=()) for c in spec.columns}
    each = [_column(learned.get(column.name, bare[column.name])) for column in spec.columns]
    return {"columns": [entry | ({"computed": True} if entry["name"] in left else {}) for entry in each]}


def _column(column: Column) -> dict[str, Any]:
    entries = {name: getattr(column, name) for name in ("name", "kind", "type", "decimals", "step", "form", "zone")}
    value = {"value": column.value} if column.kind == "constant" else {}
    return entries | value | {"parts": [_part(part) for part in column.parts]}


def _part(part: Cells) -> dict[str, Any]:
    """Cell c is the c-th value, or numbers from low[c] to high[c]; the cells after those are rare and missing ones."""
    entries = {"values": list(part.values)} if part.is_category else {"low": list(part.low), "high": list(part.high)}
    starts = [int(x) for x in part.starts]
    return {
        "tokens": len(part.sizes),
        "cells": len(part.counts),
        "starts": starts,
        "base": part.base,
        "step": part.step,
        **entries,
    }
