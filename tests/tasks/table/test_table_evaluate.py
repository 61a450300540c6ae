"""`ganvas evaluate` of a table's run: what it prints, keeps and refuses; and the run's report."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import ganvas
from ganvas import cli
from ganvas.core.model import load
from ganvas.core.run import Run
from ganvas.metrics.figures import figures_of
from ganvas.report import page
from ganvas.tasks.table import standing
from ganvas.tasks.table.evaluate import experts
from ganvas.tasks.table.evaluate.metrics import METRICS

pytestmark = pytest.mark.long

QUICK = ("shape,trend,c2st,c2st-accuracy,coverage,precision,nearer-training,copies,membership-likelihood,impossible",)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a table, customers.csv, and a run on it."""
    folder = tmp_path_factory.mktemp("tables")
    random = np.random.default_rng(0)
    age = random.integers(18, 80, 600)
    frame = pd.DataFrame(
        {
            "age": age,
            "plan": np.where(random.random(600) < age / 100, "<gold & more>", "basic"),
            "pay": np.round(age * 10 + random.normal(0, 40, 600), 1),
            "since": (np.datetime64("2020-01-01") + age).astype(str),
        }
    )
    frame.to_csv(folder / "customers.csv", index=False)
    settings = {"source": str(folder / "customers.csv"), "held_out": 0.3, "width": 16, "d_width": 16, "images": 3_000}
    small = {"batch": 100, "tick_every": 400, "sample_every": 1_000, "device": "cpu", "save_seconds": 1e9}
    for _ in ganvas.train("table", run=folder / "run", **settings, **small):
        pass
    return folder


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(experts, "TREES", 20)


@pytest.fixture(scope="module")
def measured(place: Path) -> Path:
    """A run that was measured once."""
    copy = place / "measured"
    shutil.copytree(place / "run", copy)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(experts, "TREES", 20)
        assert said("evaluate", copy, "--metrics", *QUICK, "--count", "300", "--repeats", "2") == 0
    return copy


def said(*words: object) -> int:
    return cli.app([str(word) for word in words], result_action="return_value")


def test_figures_with_their_protocols_are_kept(measured: Path) -> None:
    figures = {figure.metric: figure for figure in figures_of(measured)}
    assert set(figures) == set(QUICK[0].split(","))
    shape = figures["shape"]
    assert 0.6 < shape.value <= 1
    assert shape.floor > 0.85
    assert shape.spread >= 0
    assert (shape.protocol.count, shape.protocol.repeats, shape.protocol.data) == (180, 2, "customers.csv")
    assert shape.protocol.form == METRICS["shape"].form
    assert figures["c2st"].protocol.extractor == "scikit-learn"
    assert figures["impossible"].value == 0
    card = load(measured).card
    assert {row["metric"] for row in card["metrics"]} == set(figures)


def test_the_same_seed_gives_the_same_figures(place: Path, measured: Path) -> None:
    again = place / "again"
    shutil.copytree(place / "run", again)
    assert said("evaluate", again, "--metrics", *QUICK, "--count", "300", "--repeats", "2") == 0
    assert [f.row() for f in figures_of(again)] == [f.row() for f in figures_of(measured)]
    assert (again / "evaluation" / "table.json").read_bytes() == (measured / "evaluation" / "table.json").read_bytes()


def test_it_says_in_words_what_figures_mean(place: Path, measured: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        said(
            "evaluate",
            measured,
            "--metrics",
            "shape,c2st-accuracy,copies,broken-rules",
            "--count",
            "200",
            "--repeats",
            "1",
        )
        == 0
    )
    out = capsys.readouterr().out
    assert "of 100 cases; 50 is guessing" in out
    assert "are exactly in the training data" in out
    assert "Every drawn row keeps the rules." in out


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("--metrics", "shap"), "Did you mean 'shape'"),
        (("--extractor", "pixels"), "--extractor belongs to pictures"),
        (("--split", "train"), "--split belongs to pictures"),
        (("--against", "other"), "--against is for models that restore pictures"),
        (("--count", "3"), "at least 20 rows are needed"),
        (("--repeats", "0"), "at least 1"),
        (("--data", "nowhere.csv"), "There is no file nowhere.csv"),
    ],
)
def test_what_it_refuses(place: Path, words: tuple[str, str], sentence: str) -> None:
    with pytest.raises(ganvas.UserError, match=sentence):
        said("evaluate", place / "run", *words)


def test_data_that_is_gone_or_has_changed_is_said(place: Path) -> None:
    source, aside = place / "customers.csv", place / "aside.csv"
    source.rename(aside)
    try:
        with pytest.raises(ganvas.UserError, match="There is no file"):
            said("evaluate", place / "run", "--metrics", "shape")
        aside.read_text()
        source.write_text(aside.read_text().replace("basic", "plain"))
        with pytest.raises(ganvas.UserError, match="holds other samples now"):
            said("evaluate", place / "run", "--metrics", "shape")
    finally:
        aside.replace(source)


def test_other_rows_can_be_named_but_say_nothing_of_training_rows(
    place: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other, run = place / "other.csv", place / "elsewhere"
    pd.read_csv(place / "customers.csv").iloc[:300].to_csv(other, index=False)
    shutil.copytree(place / "run", run)
    assert said("evaluate", run, "--metrics", "shape,copies", "--data", other, "--repeats", "1") == 0
    figures = {figure.metric: figure for figure in figures_of(run)}
    assert figures["shape"].protocol.data == "other.csv"
    assert "not the rows that it was trained on" in figures["copies"].note


def test_a_time_limit_passes_over_what_is_left(place: Path) -> None:
    run = place / "hurried"
    shutil.copytree(place / "run", run)
    assert (
        said("evaluate", run, "--metrics", "shape,trend", "--time-limit", "0", "--count", "50", "--repeats", "1") == 0
    )
    assert all("time limit" in figure.note for figure in figures_of(run))


def test_the_report_shows_columns_pairs_and_words(measured: Path) -> None:
    text = (measured / "report.html").read_text()
    for title in (
        "How is the training going?",
        "How good are the rows?",
        "Privacy",
        "Column by column",
        "The pairs that differ most",
    ):
        assert f"<h2>{title}</h2>" in text
    assert "&lt;gold &amp; more&gt;" in text
    assert "<gold" not in text
    assert "is right in" in text
    assert text.count('class="heat"') == 4
    assert text.count("<h3>pay</h3>") == 1


def test_a_report_without_an_evaluation_says_how_to_get_one(place: Path) -> None:
    text = (place / "run" / "report.html").read_text()
    assert "Not measured yet" in text
    assert "<h3>-log p of a row</h3>" in text


@pytest.mark.parametrize(
    "damage", ["", "[]", '{"columns": [{"name": 1}], "pairs": 3}', '{"columns": [{"shape": NaN}]}']
)
def test_damaged_details_are_left_out_of_the_report(place: Path, measured: Path, damage: str) -> None:
    run = place / f"damaged-{len(damage)}"
    shutil.copytree(measured, run)
    (run / "evaluation" / "table.json").write_text(damage)
    page.write(Run(run))
    text = (run / "report.html").read_text()
    assert "<h2>Column by column</h2>" not in text
    assert "<h2>How good are the rows?</h2>" in text


def test_entries_of_other_kinds_are_left_out(place: Path, measured: Path) -> None:
    run = place / "other-kinds"
    shutil.copytree(measured, run)
    path = run / "evaluation" / "table.json"
    entries = json.loads(path.read_text())
    entries["columns"][0]["real"] = "many"
    entries["pairs"][0]["labels"] = [["a"], ["b"]]
    entries["gives_away"] = [["age"]]
    path.write_text(json.dumps(entries))
    page.write(Run(run))
    text = (run / "report.html").read_text()
    assert text.count('class="heat"') == 3
    assert sum(text.count(f"<h3>{name}</h3>") for name in ("age", "plan", "pay", "since")) == 3


def test_no_row_of_few_people_is_in_the_details(measured: Path) -> None:
    """Shares of bins that enough rows fall into, and no value that only some have."""
    entries = json.loads((measured / "evaluation" / "table.json").read_text())
    assert len(entries["columns"]) == 4
    pay = next(column for column in entries["columns"] if column["name"] == "pay")
    values = np.sort(pd.read_csv(measured.parent / "customers.csv")["pay"])
    ends = [float(text.replace(",", "")) for text in pay["ends"]]
    assert values[0] < ends[0] < ends[1] < values[-1]


def test_what_a_training_says_of_its_checks() -> None:
    assert "nothing is memorised" in standing.describe({"nll": 14.6, "nll_train": 14.5, "real": 0.5, "fake": 0.56})
    assert "right on 53 of 100 rows" in standing.describe({"nll": 14.6, "nll_train": 14.5, "real": 0.5, "fake": 0.56})
    assert "3.0 times as probable, it memorises them" in standing.describe({"nll": 15.6, "nll_train": 14.5})
    rows = [{"images": 100, "loss_d": 1.3, "accuracy_real": 0.9, "accuracy_fake": 0.9}]
    checks = [{"images": 100, "nll": 14.6, "nll_train": 14.5, "real": 0.9, "fake": 0.9}]
    assert standing.headline(rows, checks) == "The expert is ahead: right on 90 of 100 rows."
    assert standing.headline([], checks).startswith("The generator learns from the rows alone")
    assert standing.headline(rows, [{**checks[0], "nll": 16}]) == "It memorises rows."
    assert standing.headline([], []) == ""
    later = {"images": 200, "nll": 16, "nll_train": 14}  # the weights of the first check are kept
    ((headline, text), *_) = standing.remarks([], [checks[0], later])
    assert headline == "The weights from before it memorised rows were kept."
    assert "7.4 times as probable, it memorises them. The weights from after 100 rows were kept" in text
    begins = {**checks[0], "nll": 15.1}
    assert standing.headline([], [begins, later]) == "It begins to memorise rows."
    assert "from after 100 rows, -log p is 15.10" in standing.remarks([], [begins, later])[0][1]
