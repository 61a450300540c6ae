"""Detect, restore and expand on a small made-up table, with a model that is trained once."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from command import ganvas as run_ganvas

import ganvas
from ganvas.core.errors import UserError
from ganvas.tables import csv_cells, csv_files
from ganvas.tasks.table import detect as dt
from ganvas.tasks.table import expand as ex
from ganvas.tasks.table import restore_files
from ganvas.tasks.table.model import TableModel, load
from ganvas.tasks.table.usual import Scale, Usual

pytestmark = pytest.mark.long


def main(words: list[str]) -> int:
    """The exit code of a command; what it prints is printed."""
    done = run_ganvas(*words, cwd=Path.cwd())
    print(done.stdout, end="")
    print(done.stderr, end="", file=sys.stderr)
    return done.returncode


def rows(count: int, seed: int = 0) -> Any:
    """Towns lie in countries, income follows from age, and some phones are missing."""
    random = np.random.default_rng(seed)
    town = random.choice(["Lyon", "Nice", "Bonn", "Kiel"], count, p=[0.4, 0.2, 0.3, 0.1])
    country = np.where(np.isin(town, ["Lyon", "Nice"]), "FR", "DE")
    age = random.integers(18, 80, count)
    income = (age * 100 + random.normal(0, 200, count)).round(2)
    churn = np.where(random.random(count) < np.where(age > 60, 0.3, 0.02), "yes", "no")
    phone = random.choice(["home", "work"], count).astype(object)
    phone[random.random(count) < 0.2] = None
    return pd.DataFrame(
        {"town": town, "country": country, "age": age, "income": income, "churn": churn, "phone": phone}
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("table")
    rows(3_000).to_csv(folder / "people.csv", index=False)
    words = ["images=60k", "width=32", "d_width=32", "batch=128", "sample_every=20k", "tick_every=20k", "seed=1"]
    run = folder / "run"
    assert main(["train", "table", "--data", str(folder / "people.csv"), "--run", str(run), *words]) == 0
    return folder


@pytest.fixture(scope="module")
def model(place: Path) -> Any:
    return load(place / "run")


def test_a_token_given_the_rest_is_that_of_each_column_given_in_turn(model: Any) -> None:
    tokens = model.spec.encode(rows(40, 1).assign(phone="home")).long()
    with torch.inference_mode():
        logits = model.generator.logits_given_rest(tokens)
        for column in model.spec.learned:
            given = torch.ones_like(tokens, dtype=torch.bool)
            given[:, model.spec.places[column.name]] = False
            for place in range(*model.spec.places[column.name].indices(len(model.spec.sizes))):
                assert torch.allclose(logits[place], model.generator(tokens, given)[place], atol=1e-5)


def test_p_values_of_new_scores_are_never_too_small_and_about_uniform() -> None:
    random = np.random.default_rng(0)
    scale = Scale.from_dict(json.loads(json.dumps(Scale.of(random.normal(size=2_000)).to_dict())))
    p = scale.p(random.normal(size=20_000))
    for share in (0.005, 0.05, 0.3):
        assert 0.4 * share < (p <= share).mean() < 1.5 * share
    assert p.min() >= 1 / 2_001
    oddities = scale.oddity(np.array([0.0, 1.0, 3.0, 9.0, 20.0]))
    assert (np.diff(oddities) > 0).all()


def test_few_rows_that_are_in_order_are_called_odd(model: Any) -> None:
    found = model.detect(rows(4_000, 2))
    assert (found["odd"] == "yes").mean() < 0.08
    assert (found["odd"] != "no").mean() < 0.16
    assert list(found.columns) == list(dt.COLUMNS)


def test_a_cell_that_does_not_go_with_the_row_is_found_and_the_expected_value_named(model: Any) -> None:
    frame = rows(200, 3).set_index(np.arange(1_000, 1_200))
    lyon = frame.index[frame["town"] == "Lyon"][:20]
    changed = frame.copy()
    changed.loc[lyon, "country"] = "DE"
    old = frame.index[(frame["age"] > 70) & ~frame.index.isin(lyon)][:10]
    changed.loc[old, "income"] = 1_900.0
    found = model.detect(changed)
    assert list(found.index) == list(frame.index)
    assert (found.loc[lyon, "odd"] == "yes").mean() > 0.9
    assert set(found.loc[lyon, "column"]) <= {"town", "country"}
    named = found.loc[lyon][found.loc[lyon, "column"] == "country"]
    assert set(named["expected"]) <= {"FR"}
    assert set(named["found"]) <= {"DE"}
    assert (found.loc[old, "odd"] == "yes").mean() > 0.8
    incomes = found.loc[old][found.loc[old, "column"] == "income"]["expected"].astype(float)
    assert len(incomes)
    assert incomes.between(6_000, 9_000).all()


def test_cells_that_cannot_be_are_named_and_leave_the_others_in_order(model: Any) -> None:
    frame = rows(100, 4).astype({"age": object, "town": object})
    frame.loc[1, "age"], frame.loc[2, "town"], frame.loc[3, "income"], frame.loc[4, "country"] = (
        "old", "Atlantis", 9e9, None,
    )  # fmt: skip
    found = model.detect(frame)
    why = {1: "no number", 2: "never seen", 3: "outside the usual range", 4: "empty, as no training row was"}
    columns = {1: "age", 2: "town", 3: "income", 4: "country"}
    for row, text in why.items():
        assert found.loc[row, "odd"] == "yes"
        assert text in found.loc[row, "why"]
        assert found.loc[row, "column"] == columns[row]
    assert found.loc[1, "found"] == "old"
    assert found.loc[2, "found"] == "Atlantis"


def test_the_report_is_in_the_card_and_can_be_made_of_other_rows(model: Any) -> None:
    kept, other = dt.report_on(model, None), dt.report_on(model, iter([rows(1_000, 5)]))
    for found in (kept, other):
        assert found["columns"]["country"]["auroc"] > 0.95
        assert found["columns"]["income"]["auroc"] > 0.8
        assert found["false_alarm"] < 0.1
    assert kept["rows"] == round(300 * 0.25)


def test_no_verdict_where_it_cannot_be_promised(model: Any) -> None:
    with pytest.raises(UserError, match="cannot be promised"):
        model.detect(rows(10), alarm=0.0001)
    with pytest.raises(UserError, match="lack columns"):
        model.detect(rows(10).drop(columns="age"))
    entries = json.loads(json.dumps(model.card["usual"]))
    entries["largest"]["ranks"] = "no"
    with pytest.raises(UserError, match="card"):
        Usual.from_dict(entries, [c.name for c in model.spec.learned])
    bare = TableModel(model.path, model.generator, model.discriminator, model.spec, {"data": {}, "finished": True})
    with pytest.raises(UserError, match="older version"):
        bare.detect(rows(10))


def test_the_command_prints_the_oddest_rows_and_writes_all(
    place: Path, model: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = rows(60, 6)
    frame.loc[7, ["town", "country"]] = "Lyon", "DE"
    frame.to_csv(place / "new.csv", index=False)
    out = place / "odd.csv"
    assert main(["detect", str(place / "run"), str(place / "new.csv"), "--out", str(out)]) == 0
    printed = capsys.readouterr().out
    assert "60 rows" in printed
    assert "Lyon" in printed or "DE" in printed
    written: Any = pd.read_csv(out, keep_default_na=False)
    assert len(written) == 60
    assert written.loc[7, "odd"] == "yes"
    assert list(written.columns[-3:]) == ["odd", "column", "expected"]
    assert main(["detect", str(place / "run"), str(place / "new.csv"), "--json"]) == 0
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert 8 in [line["row"] for line in lines]
    assert main(["detect", str(place / "run"), str(place / "new.csv"), "--out", str(out)]) == 2  # it is there
    assert main(["detect", str(place / "run"), "--report"]) == 0
    assert "AUROC" in capsys.readouterr().out


def test_only_empty_cells_are_filled_and_with_what_goes_with_the_row(model: Any) -> None:
    frame = rows(300, 7)
    holes = frame.copy()
    holes.loc[::3, "country"] = None
    holes.loc[1::3, "income"] = np.nan
    filled = model.restore(holes)
    known = holes.notna()
    assert filled.where(known).equals(holes.where(known))
    assert filled.notna().all().all()  # 'missing' is a value of phone, and is not drawn
    assert (filled.loc[::3, "country"] == frame.loc[::3, "country"]).mean() > 0.95
    assert (filled["income"] - frame["income"]).abs()[1::3].mean() < 900
    assert filled.equals(model.restore(holes))
    assert not filled.equals(model.restore(holes, seed=1))


def test_several_fillings_differ_and_the_best_guess_is_best(model: Any) -> None:
    frame = rows(200, 8)
    holes = frame.assign(income=np.nan)
    several = model.restore(holes, columns=["income"], times=5)
    assert list(several["filling"].unique()) == [1, 2, 3, 4, 5]
    assert len(several) == 1_000
    incomes = several["income"].to_numpy().reshape(5, 200)
    assert incomes.std(0).mean() > 20
    assert several["phone"].isna().sum() == 5 * frame["phone"].isna().sum()
    best = model.restore(holes, columns=["income"], best=True)["income"]
    assert (best - frame["income"]).abs().mean() < np.abs(incomes - frame["income"].to_numpy()).mean()
    with pytest.raises(UserError, match="one best guess"):
        model.restore(holes, times=2, best=True)


def test_guesses_are_worth_more_than_the_column_alone_says(model: Any) -> None:
    found = {w.column: w for w in restore_files.worth(model, rows(1_500, 9))}
    assert found["country"].is_share
    assert found["country"].guess > found["country"].simple + 0.15
    assert not found["income"].is_share
    assert found["income"].guess < 0.7 * found["income"].simple


ODD = 'town;country;age;income;churn;phone\r\n"Ly;on";FR;;1,5;no;home\r\n\r\n'
ODD += ' Nice;;30;"2,25";"a\nb";""\nBonn;DE;50;;no;\r\n'


def test_a_csv_file_keeps_every_other_byte(place: Path, model: Any) -> None:
    for encoding, packed in (("utf-8-sig", False), ("utf-16", False), ("utf-8", True)):
        path, out = place / "holes.csv", place / f"filled.csv{'.gz' * packed}"
        path.write_bytes(ODD.encode(encoding))
        assert main(["restore", str(place / "run"), str(path), "--out", str(out), "--force"]) == 0
        with csv_files.opened(out) as file:
            text = file.read().decode("utf-8" if encoding == "utf-8" else encoding)
        cell = r"[^;\r\n]+"
        assert re.fullmatch(
            rf'town;country;age;income;churn;phone\r\n"Ly;on";FR;\d+;1,5;no;home\r\n\r\n Nice;{cell};30;"2,25";"a\nb";'
            rf"{cell}\nBonn;DE;50;\d+,\d+;no;{cell}\r\n",
            text,
        ), text


def test_a_row_is_read_as_it_is_written(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(b'a,b\n1,"x\n""y"""\n"p"q,5" r\n,"",\n'[:-2] + b"\n")
    source = csv_cells.Source(path, csv_files.layout(path))
    with source.opened() as reader:
        assert reader.head() == ("a,b", "\n")
        found = [(cells, end) for _, cells, end in reader.rows(10)]
    assert found == [(["1", '"x\n""y"""'], "\n"), (['"p"q', '5" r'], "\n"), (["", '""'], "\n")]


def test_parquet_keeps_its_types(place: Path) -> None:
    frame = rows(50, 10)
    frame.loc[3, "income"] = np.nan
    frame.to_parquet(place / "holes.parquet")
    out = place / "filled.parquet"
    assert main(["restore", str(place / "run"), str(place / "holes.parquet"), "--out", str(out)]) == 0
    filled: Any = pd.read_parquet(out)
    assert filled.dtypes.equals(frame.dtypes)
    assert filled["income"].notna().all()
    assert filled.drop(columns=["income", "phone"]).equals(frame.drop(columns=["income", "phone"]))


def test_drawn_rows_of_a_rare_class_are_added_and_judged(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = place / "more.csv"
    words = ["expand", str(place / "run"), "--target", "churn", "--rare", "yes", "--out", str(out)]
    assert main(words) == 0
    printed = capsys.readouterr().out
    assert "held-out rows" in printed
    assert "The drawn rows" in printed
    read: Any = pd.read_csv
    real, more = read(place / "people.csv"), read(out)
    assert more.head(3_000).equals(real)
    assert set(more["churn"][3_000:]) == {"yes"}
    counts = more["churn"].value_counts()
    assert counts["yes"] == counts["no"]
    assert main([*words[:6], "maybe", *words[7:], "--force"]) == 2


def test_the_same_in_python(model: Any) -> None:
    drawn, trial = model.expand(rows(3_000), "churn", "yes", count=40, repeats=0)
    assert len(drawn) == 40
    assert set(drawn["churn"]) == {"yes"}
    assert trial is None
    with pytest.raises(UserError, match="not a category"):
        model.expand(rows(3_000), "age", "30")


@pytest.mark.parametrize(
    ("drawn", "verdict"),
    [((0.6, 0.61, 0.59), "helps"), ((0.5, 0.51, 0.49), "makes no difference"), ((0.4, 0.41, 0.39), "harms")],
)
def test_verdicts(drawn: tuple[float, ...], verdict: str) -> None:
    ways: dict[str, Any] = {"alone": [0.45, 0.46, 0.44], "drawn": list(drawn), "repeated": [0.5, 0.51, 0.49]}
    trial = ex.Trial("churn", "yes", 100, 10, 50, 5, 80, ways, ways)
    assert trial.free == "repeated"
    assert trial.verdict == verdict
    assert "repeating" in trial.conclusion()
    assert verdict.split()[0].rstrip("s") in trial.conclusion()


def test_ganvas_loads_it(place: Path) -> None:
    assert isinstance(ganvas.load(place / "run"), TableModel)
