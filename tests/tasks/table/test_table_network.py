"""The generator's arithmetic, and its ONNX graph, against plain ways of computing the same."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from ganvas.tables.data import DataConfig, of_frame
from ganvas.tasks.table.export import Drawing
from ganvas.tasks.table.network import Config, Generator
from ganvas.tasks.table.onnx_graph import graph
from ganvas.tasks.table.sums import sums


def frame(count: int = 3_000) -> pd.DataFrame:
    random = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "sort": random.choice(list("abc"), count, p=[0.9, 0.0993, 0.0007]),  # c is rare
            "price": np.where(random.random(count) < 0.3, np.nan, random.lognormal(3, 1, count).round(2)),
            "number": random.integers(0, 2_000_000_000, count),
            "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 700, count), "D"),
            "size": random.integers(1, 9, count),
        }
    )


def generator_of(table: pd.DataFrame, rare: int = 5) -> Generator:
    generator = Generator(of_frame(table, "orders", DataConfig("x", rare=rare)).spec, Config(width=16)).eval()
    torch.manual_seed(0)
    with torch.no_grad():
        for name, weight in generator.named_parameters():
            if not name.startswith("priors."):
                weight += 0.3 * torch.randn_like(weight)
    return generator


@pytest.mark.parametrize("after", [False, True])
def test_sums_and_their_gradients(after: bool) -> None:
    x = torch.randn(5, 3, 2, dtype=torch.float64, requires_grad=True)
    shifted = x.flip(0) if after else x
    wanted = shifted.cumsum(0) - shifted
    assert torch.allclose(sums(x, after), wanted.flip(0) if after else wanted)
    assert torch.autograd.gradcheck(lambda y: sums(y, after), x)


def test_dropout_leaves_out_its_share_and_keeps_the_mean() -> None:
    generator = generator_of(frame(500)).train()
    torch.manual_seed(1)
    ones = torch.ones(200_003)
    dropped = generator.drop(ones)
    assert float((dropped == 0).double().mean()) == pytest.approx(0.2, abs=0.01)
    assert float(dropped.double().mean()) == pytest.approx(1, abs=0.01)
    assert generator.eval().drop(ones) is ones


def test_portions_of_rows_are_as_probable_as_all_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = generator_of(frame())
    rows = generator.draw(torch.rand(60, len(generator.sizes)))[0]
    given = torch.rand(rows.shape) < 0.3
    whole = generator.surprise(rows, given).detach()
    monkeypatch.setattr("ganvas.tasks.table.network.TOKENS", 7 * len(generator.sizes))
    with torch.no_grad():
        assert torch.allclose(generator.surprise(rows, given), whole, atol=1e-4)


def test_the_graph_draws_what_the_generator_draws() -> None:
    onnxruntime = pytest.importorskip("onnxruntime")
    table = frame(52_000).assign(name=[f"n{i // 2}" for i in range(52_000)])
    generator = generator_of(table, rare=1)
    assert max(generator.depth) == 2  # a name has three tokens
    assert generator.numbers.several
    assert any(rare is not None for rare in generator.rare)
    width, source = len(generator.sizes), torch.Generator().manual_seed(3)
    rows = generator.draw(torch.rand(400, width, generator=source))[0]
    given = torch.rand(rows.shape, generator=source) < torch.rand(400, 1, generator=source)
    allowed = torch.rand(400, sum(generator.sizes), generator=source) < 0.7
    for first, size in zip(generator.first.tolist(), generator.sizes, strict=True):
        allowed[:, first : first + size] |= ~allowed[:, first : first + size].any(1, keepdim=True)
    noise = torch.rand(rows.shape, generator=source)
    inputs = {"noise": noise, "rows": rows, "given": given, "allowed": allowed}
    session = onnxruntime.InferenceSession(graph(generator).SerializeToString(), providers=["CPUExecutionProvider"])
    tokens, place = session.run(None, {name: value.numpy() for name, value in inputs.items()})
    with torch.inference_mode():
        wanted, where = (x.numpy() for x in Drawing(generator)(**inputs))
    same = (tokens == wanted).all(1)
    assert same.mean() > 0.98  # a sum may be rounded to the other side of the noise
    assert np.median(np.abs(place - where)[same]) < 1e-4


def test_a_wide_table_s_graph_has_no_more_nodes() -> None:
    pytest.importorskip("onnx")
    narrow, wide = frame(), pd.concat([frame().add_suffix(str(i)) for i in range(6)], axis=1)
    nodes = [len(graph(generator_of(table)).graph.node) for table in (narrow, wide)]
    assert nodes[0] == nodes[1]


def test_values_of_few_rows_give_way_and_all_else_stays() -> None:
    random = np.random.default_rng(0)
    names = np.array([f"n{i}" for i in range(30)])
    many = random.random(4_000) < 0.5  # half of the rows have a name of their own
    name = np.where(many, names[random.integers(0, 30, 4_000)], np.array([f"own{i}" for i in range(4_000)]))
    table = pd.DataFrame({"first": random.integers(0, 5, 4_000), "name": name, "last": many})
    generator = generator_of(table)
    place = generator.spec.places["name"].start
    noise = torch.rand(3_000, len(generator.sizes), generator=torch.Generator().manual_seed(0))
    with_rare, _ = generator.draw(noise, rare=True)
    drawn, where = generator.draw(noise)
    few = with_rare[:, place] == generator.rare[place]
    assert 0.2 < float(few.double().mean()) < 0.8
    assert not (drawn[:, place] == generator.rare[place]).any()
    others = [i for i in range(len(generator.sizes)) if i != place]
    assert (drawn[:, others] == with_rare[:, others]).all()
    assert (drawn[~few] == with_rare[~few]).all()
    given = torch.ones_like(drawn, dtype=torch.bool)
    given[:, place] = False  # what takes their place is drawn given all else
    logits = generator(drawn, given)[place].detach()
    logits[:, generator.rare[place]] = -torch.inf
    shares = logits[few].softmax(1).mean(0)
    found = torch.bincount(drawn[few, place], minlength=len(shares)) / few.sum()
    assert float((shares - found).abs().sum() / 2) < 0.08
    assert ((where >= 0) & (where < 1)).all()
