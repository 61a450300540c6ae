"""Tables with differential privacy: bounded gradients, the noise, what the model file holds, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch.nn import functional as f

import ganvas as gv
from ganvas import api
from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.tables import private, private_cells, read
from ganvas.tables.data import DataConfig, of_frame
from ganvas.tasks.table import export, privacy
from ganvas.tasks.table.model import load
from ganvas.tasks.table.network import Config, Generator
from ganvas.tasks.table.privacy import Plan, clipped
from ganvas.training import trainer

SMALL = {"privacy": "8", "images": "4000", "batch": "200", "width": "16", "d_width": "16", "device": "cpu", "rare": "3"}
ODD = ("Zanzibar-Xyq", 987_654_321, 12_345.678_9, "1907-03-11")  # values that a single row has each


def rows(count: int = 2_000) -> pd.DataFrame:
    """People, with one row like no other."""
    random = np.random.default_rng(1)
    age = random.integers(18, 80, count)
    frame = pd.DataFrame({
        "city": random.choice(["Rome", "Oslo", "Kyiv"], count, p=[0.6, 0.3, 0.1]),
        "age": age,
        "pay": np.round(age * 30 + random.gamma(2, 100, count), 2),
        "points": random.integers(0, 5_000, count),
        "day": pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 200, count), unit="D"),
    })  # fmt: skip
    frame["pay"] = frame["pay"].mask(random.random(count) < 0.2)
    frame.loc[7, ["city", "points", "pay", "day"]] = [ODD[0], ODD[1], ODD[2], pd.Timestamp(ODD[3])]
    return frame


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("private") / "people.csv"
    rows().to_csv(place, index=False)
    return place


@pytest.fixture(scope="module")
def events(table: Path) -> list[Any]:
    return list(gv.train("table", data=table, run=table.parent / "run", **SMALL))


def generator_of(dropout: float = 0.0) -> tuple[Generator, torch.Tensor]:
    """A generator with weights like those of a trained one, and rows."""
    data = of_frame(rows(), "people", DataConfig("x", privacy=8.0))
    torch.manual_seed(0)
    generator = Generator(data.spec, Config(width=16, dropout=dropout))
    with torch.no_grad():
        for weight in generator.parameters():
            weight += 0.05 * torch.randn_like(weight).nan_to_num()
    return generator, data.train.samples[:24].long()


def test_norms_and_sums_are_those_of_a_loop_over_rows() -> None:
    generator, tokens = generator_of()
    given = torch.rand(tokens.shape, generator=torch.Generator().manual_seed(2)) < 0.3
    weights = {n: w for n, w in generator.named_parameters() if not n.startswith("priors.")}
    single, losses = [], []
    for i in range(len(tokens)):
        loss = generator.surprise(tokens[i : i + 1], given[i : i + 1]).sum()
        losses.append(loss.detach())
        single.append(torch.autograd.grad(loss, list(weights.values())))
    scales = [privacy.scale_of(name) for name in weights]
    squares = [sum(s**2 * g.square().sum() for s, g in zip(scales, row, strict=True)) for row in single]
    norms = torch.stack([torch.as_tensor(x) for x in squares]).sqrt()
    bound = float(norms.median())  # so that some rows are shortened and others not
    factor = (bound / norms).clamp_max(1)
    found_losses, sums, found = clipped(generator, tokens, given, bound)
    assert torch.allclose(found_losses, torch.stack(losses), atol=1e-4)
    assert torch.allclose(found, norms, rtol=1e-4)
    assert sums.keys() == weights.keys()
    for k, name in enumerate(weights):
        wanted = torch.stack([c * row[k] for c, row in zip(factor, single, strict=True)]).sum(0)
        assert torch.allclose(sums[name], wanted, atol=1e-4 * float(wanted.abs().max()) + 1e-6), name


def test_a_weight_that_is_not_bounded_is_no_weight_to_train() -> None:
    generator, tokens = generator_of()
    generator.more = torch.nn.Parameter(torch.zeros(3))
    with pytest.raises(RuntimeError, match="more"):
        clipped(generator, tokens, torch.zeros_like(tokens, dtype=torch.bool), 1.0)


class Batches:
    """As `training.batches.Batches`, as far as it matters here."""

    def __init__(self, data: Any) -> None:
        self.data, self.device = data, torch.device("cpu")


def private_of(bound: float = 0.5, **settings: Any) -> tuple[privacy.Private, Generator, dict[str, torch.Tensor]]:
    data = of_frame(rows(), "people", DataConfig("x", privacy=8.0))
    state: dict[str, torch.Tensor] = {}
    config = trainer.Config(images=4_000, batch=200, **settings)
    found = privacy.Private(data.spec.privacy, bound, config, Batches(data), state)  # pyright: ignore[reportArgumentType]
    return found, Generator(data.spec, Config(width=16, dropout=0)), state


def none(batch: Any) -> torch.Tensor:
    return torch.zeros_like(batch.real, dtype=torch.bool)


def test_the_noise_has_the_stated_deviation_and_is_new_in_each_step() -> None:
    from ganvas.training.batches import Batch

    found, generator, state = private_of()
    gradients = []
    for step in (0, 1, 0):
        generator.zero_grad()
        found.loss(generator, Batch(torch.zeros(1), None, step), none)["total"].backward()
        noisy = {n: w.grad for n, w in generator.named_parameters() if w.grad is not None}
        _, sums, norms = clipped(generator, found.rows(step), none(type("B", (), {"real": found.rows(step)})), 0.5)
        assert float(norms.min()) > 0
        noise = torch.cat([privacy.scale_of(n) * (noisy[n] * 200 - sums[n]).flatten() for n in sums])
        assert float(noise.std()) == pytest.approx(float(state["noise"]) * 0.5, rel=0.05)
        gradients.append(noise)
    assert torch.equal(gradients[0], gradients[2])
    assert abs(float(torch.corrcoef(torch.stack(gradients[:2]))[0, 1])) < 0.1
    other, _, _ = private_of()
    assert not np.array_equal(other.random("noise", 0).random(4), found.random("noise", 0).random(4))  # a key each


def test_each_row_is_in_a_batch_with_the_same_chance() -> None:
    found, _, _ = private_of()
    sizes = np.array([len(found.rows(step)) for step in range(300)])
    assert sizes.mean() == pytest.approx(200, rel=0.03)
    assert sizes.std() == pytest.approx((200 * (1 - 200 / 1_800)) ** 0.5, rel=0.2)  # binomial


def test_the_accountant_agrees_with_closed_forms() -> None:
    promise = private.planned([], 1_000, 2.0, 1e-5)
    assert private.delta_of(promise.alone, promise.mu) == pytest.approx(promise.delta - promise.singles, rel=1e-3)
    whole = Plan(3.0, 1.0, 4)  # all rows in each step: four releases like one with half the noise
    mu = (promise.mu**2 + 4 / 9) ** 0.5
    assert whole.epsilon(promise) == pytest.approx(private.epsilon_of(mu, promise.delta - promise.singles), abs=0.03)
    plan = Plan.of(promise, trainer.Config(images=20_000, batch=100))
    assert 1.97 < plan.epsilon(promise) <= 2.0
    assert plan.epsilon(promise, 0) == pytest.approx(promise.alone, abs=0.03)


def test_counts_have_the_stated_noise_and_single_values_stay_in() -> None:
    promise = private.Privacy(1.0, 1e-5, 1_000, 20.0, 10, 2.5e-6)
    counter = private_cells.Counter(promise, 5, np.random.default_rng(0))
    noise = counter.known(np.full(4_000, 100.0)) - 100
    assert noise.std() == pytest.approx(20, rel=0.05)
    assert counter.threshold == pytest.approx(1 + 20 * 5.03, rel=0.01)  # 5.03: the normal quantile of 2.5e-7
    found, counts = counter.found(np.repeat([1.0, 2.0, 3.0], [500, 1, 60]))
    assert found.tolist() == [1.0]
    assert counts[0] == pytest.approx(500, abs=80)


def test_ranges_cover_the_numbers_and_do_not_overlap() -> None:
    random = np.random.default_rng(0)
    promise = private.Privacy(1.0, 1e-5, 20_000, 10.0, 10, 2.5e-6)
    for numbers, whole in (
        (np.round(random.normal(-300, 80, 20_000)), True),
        (random.lognormal(3, 1, 20_000), False),
        (np.append(np.round(random.gamma(2, 4_000, 12_000)), np.zeros(8_000)), True),
    ):
        cells = private_cells.of_numbers(numbers, whole, private_cells.Counter(promise, 5, random))
        low, high, counts = np.array(cells.low), np.array(cells.high), np.array(cells.counts)
        assert (low <= high).all()
        assert (low[1:] > high[:-1]).all() if whole else (low[1:] >= high[:-1]).all()
        assert counts.sum() == pytest.approx(20_000, rel=0.05)
        found = cells.find(numbers)
        apart = np.maximum(np.maximum(low[found] - numbers, numbers - high[found]), 0)  # 0: inside the cell
        assert np.quantile(apart, 0.98) < 0.05 * numbers.std()
        real = np.bincount(found, minlength=len(counts))
        assert np.abs(real - counts).mean() < 40
    spanned = private_cells.of_numbers(numbers, True, private_cells.Counter(promise, 5, random), (0.0, 9_999.0))
    assert spanned.high[-1] <= 9_999


def test_the_same_rows_give_the_same_cells_and_one_row_less_other_noise() -> None:
    config = DataConfig("x", privacy=8.0)
    one, same = (of_frame(rows(), "people", config) for _ in range(2))
    assert one.fingerprint == same.fingerprint
    assert one.spec == same.spec
    other = rows()
    other.loc[3, "city"] = None
    changed = of_frame(other, "people", config)
    assert changed.spec.columns[0].parts[0].counts != one.spec.columns[0].parts[0].counts


def test_a_training_says_what_it_promises_and_spent(events: list[Any], table: Path) -> None:
    said = " ".join(str(getattr(event, "text", "")) for event in events)
    assert "epsilon 8, delta 5.6e-05" in said
    assert "Treated as public" in said
    assert "Differential privacy kept: epsilon 7.9" in said
    card = load(table.parent / "run").card
    assert card["privacy"]["epsilon"] <= 8
    assert card["privacy"]["steps"] == 20
    assert not {"nll", "nll_train", "real"} & card["log"].keys()  # figures of real rows
    assert "usual" not in card


def test_the_model_file_holds_no_key_and_no_real_row(events: list[Any], table: Path) -> None:
    run = table.parent / "run"
    tensors, card = checkpoint.load(run / "model.safetensors")
    assert not [name for name in tensors if "key" in name or "dials" in name]
    snapshot, _ = checkpoint.load(next(iter(sorted((run / "checkpoints").glob("*.safetensors")))))
    key = snapshot["dials.key"].numpy().tobytes()
    content = (run / "model.safetensors").read_bytes()
    assert key not in content
    assert private.key() not in content
    text = json.dumps(card)
    for value in (ODD[0], str(ODD[1]), "12345.68", "1907-03-11", str((pd.Timestamp(ODD[3]) - pd.Timestamp(0)).days)):
        assert value not in text, value
        assert value.encode() not in content
    model = load(run)
    odd = model.spec.encode(read.typed(rows().iloc[[7]], model.spec.read)).numpy().tobytes()
    assert odd not in content
    assert np.frombuffer(odd, np.uint8).astype(np.int64).tobytes() not in content
    drawn: Any = model.sample(2_000)
    assert not drawn["city"].isin([ODD[0]]).any()
    assert drawn["points"].max() < 10_000
    assert pd.to_datetime(drawn["day"]).min() > pd.Timestamp("1960-01-01")


@pytest.mark.long
def test_models_without_privacy_and_their_exports_hold_no_rare_value_either(tmp_path: Path) -> None:
    frame = rows()
    frame["level"] = pd.Categorical(["low", "high"] * 1_000, categories=["low", "high", "Qxy-level"], ordered=True)
    frame.loc[5, "level"] = "Qxy-level"
    frame["size"] = [str(i % 50) for i in range(2_000)]
    frame.loc[9, "size"] = "Qxy-size"
    quick = {"images": "2000", "batch": "100", "width": "16", "d_width": "16", "device": "cpu"}
    for _ in gv.train("table", data=frame, run=tmp_path / "run", **quick):
        pass
    model = load(tmp_path / "run")
    (network,) = export.exports(model).networks  # its weights are the model's
    files = {"model": (tmp_path / "run" / "model.safetensors").read_bytes(), **export.files(model)}
    files["notes in the network"] = json.dumps(network.card).encode()
    assert len(files) == 7
    for file, content in files.items():
        for value in (ODD[0], str(ODD[1]), "1234568", "Qxy-level", "Qxy-size"):  # the third: 12345.68 in hundredths
            assert value.encode() not in content, (file, value)


def test_a_resume_goes_on_bit_for_bit_and_more_images_are_refused(table: Path, tmp_path: Path) -> None:
    run, short = tmp_path / "run", {**SMALL, "images": "2000"}
    steps = 0
    for event in gv.train("table", data=table, run=run, **short):
        steps += type(event).__name__ == "Stepped"
        if steps == 5:
            break
    import shutil

    shutil.copytree(run, tmp_path / "copy")
    for place in (run, tmp_path / "copy"):
        for _ in gv.train("table", data=table, run=place, **short):
            pass
    one, two = (checkpoint.load(p / "model.safetensors")[0] for p in (run, tmp_path / "copy"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(UserError, match="more would spend more"):
        list(gv.train("table", data=table, run=run, **SMALL))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"warmup": "0.5"}, "allows no adversarial phase"),
        ({"from": "other"}, "leave from= out"),
        ({"privacy": "101"}, "between 0 and 100"),
    ],
)
def test_what_breaks_the_promise_is_refused(
    settings: dict[str, str], sentence: str, table: Path, tmp_path: Path
) -> None:
    with pytest.raises(UserError, match=sentence):
        list(gv.train("table", data=table, run=tmp_path / "run", **{**SMALL, **settings}))


def test_a_missing_accountant_is_named(table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(privacy.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"pip install 'ganvas\[privacy\]'"):
        list(gv.train("table", data=table, run=tmp_path / "run", **SMALL))


def test_defaults_are_others_with_privacy_but_for_what_is_said() -> None:
    chosen = api.experiment("table", "x.csv", {"privacy": "3", "batch": "300"})
    assert chosen.training.batch == 300
    assert chosen.network.dropout == 0
    assert chosen.task.warmup == 1
    smoke = api.experiment(chosen.smoke(), None, {"privacy": "3", "batch": "300"})
    assert smoke.training.images == 6_000
    plain = api.experiment("table", "x.csv", {"privacy": "0"})
    assert plain.network.dropout > 0


def test_rules_of_the_file_are_refused(table: Path, tmp_path: Path) -> None:
    (tmp_path / "columns.toml").write_text('[columns]\nage = { kind = "number", span = [0, 99] }\n[rules]\nkeep = []\n')
    config = DataConfig(str(table), privacy=8.0, columns=str(tmp_path / "columns.toml"))
    assert last(config.loading()).spec.by_name["age"].parts[0].high[-1] <= 99
    (tmp_path / "columns.toml").write_text('[rules]\nkeep = ["pay >= age"]\n')
    with pytest.raises(UserError, match="remove keep"):
        last(config.loading())


def test_one_loss_is_that_of_the_network() -> None:
    generator, tokens = generator_of()
    given = torch.zeros_like(tokens, dtype=torch.bool)
    losses, _, _ = clipped(generator, tokens, given, 1.0)
    logits = generator(tokens, given)
    wanted = sum(f.cross_entropy(x, tokens[:, i], reduction="none") for i, x in enumerate(logits))
    assert torch.allclose(losses, wanted, atol=1e-5)  # pyright: ignore[reportArgumentType]
