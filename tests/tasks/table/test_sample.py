"""A trained model of a table, used: rows, conditions, files, databases, other programs."""

from __future__ import annotations

import gzip
import importlib
import json
import sqlite3
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from conftest import ganvas

import ganvas as gv
from ganvas.core.errors import UserError
from ganvas.tables import write
from ganvas.tasks.table.conditions import Conditions
from ganvas.tasks.table.model import TableModel, load

pytestmark = pytest.mark.long

KINDS = (torch.uint8, torch.float32)
COLUMNS = ["id", "plan", "country", "age", "price", "day", "member", "note", "same"]


def rows(count: int = 3_000) -> pd.DataFrame:
    """People: gold is for the old, and one country is rare."""
    random = np.random.default_rng(0)
    age = random.integers(18, 91, count)
    plan = np.where(random.random(count) < (age - 18) / 80, "gold", random.choice(["free", 'say "hi", you'], count))
    country = random.choice(["NL", "DE", "BE"], count, p=[0.3, 0.69, 0.01])
    days = pd.Series(pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 60, count), unit="D"))
    return pd.DataFrame({
        "id": [f"C-{i:06d}" for i in range(count)],
        "plan": plan,
        "country": pd.Series(country, dtype="str").mask(random.random(count) < 0.1),
        "age": age,
        "price": np.round(age / 10 + random.gamma(2, 3, count), 1),
        "day": days.dt.strftime("%d.%m.%Y"),
        "member": np.where(random.random(count) < 0.5, "J", "N"),
        "note": [f"these are the words of row number {i}, and nobody else has them" for i in range(count)],
        "same": ["x"] * count,
    })  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("table")
    rows().to_csv(place / "people.csv", index=False)
    settings = {
        "images": "40000",
        "width": "32",
        "d_width": "32",
        "sample_every": "1M",
        "device": "cpu",
        "warmup": "0.9",
    }
    for _ in gv.train("table", data=place / "people.csv", run=place / "run", **settings):  # pyright: ignore[reportArgumentType]
        pass
    return place / "run"


@pytest.fixture(scope="module")
def model(run: Path) -> TableModel:
    return load(run)


def test_any_model_is_loaded_by_one_function(run: Path, model: TableModel) -> None:
    loaded = gv.load(run)
    assert isinstance(loaded, TableModel)
    pd.testing.assert_frame_equal(loaded.sample(50), model.sample(50))


def test_all_columns_come_out_in_order_and_type(model: TableModel) -> None:
    source: Any = rows()
    found: Any = model.sample(2_500, seed=3)
    assert list(found) == COLUMNS == list(source)
    assert found["id"].is_unique
    assert not {*found["id"]} & {*source["id"]}
    assert found["id"].str.fullmatch(r"C-\d{6}").all()
    assert found["age"].dtype == "int64"
    assert str(found["plan"].dtype) == "str"
    assert found["note"].isna().all()
    assert {*found["same"]} == {"x"}
    assert found["country"].isna().any()
    assert not found["age"].isna().any()
    assert pd.api.types.is_datetime64_any_dtype(found["day"])
    assert list(model.sample(0)) == COLUMNS
    with pytest.raises(UserError, match="-1 rows: at least 0"):
        model.sample(-1)


def test_a_row_is_the_same_however_many_are_drawn(model: TableModel) -> None:
    many = model.sample(9_500, seed=5, where="age>=60,plan=gold")
    pd.testing.assert_frame_equal(many.head(300), model.sample(300, seed=5, where="age>=60,plan=gold"))
    assert not many.equals(model.sample(9_500, seed=6, where="age>=60,plan=gold"))


@pytest.mark.parametrize(
    ("where", "query"),
    [
        ("country=BE", "country == 'BE'"),
        ("country=BE|NL,age<30", "country in ('BE', 'NL') and age < 30"),
        ("country=", "country.isna()"),
        ("age>=60,age<=62", "60 <= age <= 62"),
        ("price>8.5,price<=9.3", "8.5 < price <= 9.3"),
        ("day>=2024-02-10,member=J", "day >= '2024-02-10' and member == 'J'"),
        ('plan="say ""hi"", you",price>=10', "plan.str.startswith('say') and price >= 10"),
        ({"country": ["NL", None], "age": 40}, "age == 40 and (country == 'NL' or country.isna())"),
    ],
)
def test_every_row_meets_its_conditions(model: TableModel, where: object, query: str) -> None:
    found = model.sample(1_500, where=where)  # pyright: ignore[reportArgumentType]
    assert len(found) == 1_500
    assert len(found.query(query)) == 1_500


def test_rows_with_conditions_are_distributed_as_those_that_meet_them_by_chance(model: TableModel) -> None:
    drawn = model.sample(60_000, seed=1)
    for where, query in (("age>=70", "age >= 70"), ("plan=gold,age<60", "plan == 'gold' and age < 60")):
        chance, found = drawn.query(query), model.sample(8_000, seed=2, where=where)
        assert len(chance) > 3_000
        for name in ("age", "price"):
            grid = np.quantile(chance[name], np.linspace(0.05, 0.95, 10))
            both = [np.searchsorted(np.sort(x[name]), grid, side="right") / len(x) for x in (chance, found)]
            assert np.abs(both[0] - both[1]).max() < 0.06, (where, name)
        for name in ("plan", "country", "member"):
            shares = [x[name].fillna("").value_counts(normalize=True) for x in (chance, found)]
            assert shares[0].sub(shares[1], fill_value=0).abs().max() < 0.06, (where, name)


def test_a_condition_takes_no_second_try(model: TableModel, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[int] = []
    draw = model.generator.draw
    monkeypatch.setattr(
        model.generator, "draw", lambda noise, *a, **k: calls.append(len(noise)) or draw(noise, *a, **k)
    )
    model.sample(20_000, where="country=BE")
    assert sum(calls) == 20_000


def test_conditions_that_never_meet_are_an_error(model: TableModel, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(UserError, match="country has DE, NL, BE"):
        model.sample(5, where="country=FR")
    monkeypatch.setattr(Conditions, "_weights", lambda _, drawn, *rest: torch.zeros(len(drawn), dtype=torch.float64))
    with pytest.raises(UserError, match="No row meets plan=free and age>=80 together"):
        model.sample(5, where="plan=free,age>=80")


def test_the_command_writes_files_as_the_source_writes_them(run: Path, tmp_path: Path) -> None:
    done = ganvas("sample", str(run), "--count", "1200", "--where", "country=NL", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Drew 1,200 rows with country=NL" in done.stdout
    assert "Left empty, as free text is not learned: note." in done.stdout
    again = ganvas("sample", str(run), "--where", "country=NL", "--count", "1200", cwd=tmp_path)
    assert "rows-2.csv" in again.stdout
    assert (tmp_path / "rows.csv").read_bytes() == (tmp_path / "rows-2.csv").read_bytes()
    text = pd.read_csv(tmp_path / "rows.csv", dtype="str", keep_default_na=False)
    assert list(text) == COLUMNS
    assert text["price"].str.fullmatch(r"\d+\.\d").all()
    assert text["day"].str.fullmatch(r"\d\d\.\d\d\.2024").all()
    assert {*text["plan"]} <= {"gold", "free", 'say "hi", you'}
    assert {*text["member"]} == {"J", "N"}
    packed = ganvas("sample", str(run), "--count", "1200", "--where", "country=NL", "--out", "a.csv.gz", cwd=tmp_path)
    assert packed.returncode == 0
    assert gzip.decompress((tmp_path / "a.csv.gz").read_bytes()) == (tmp_path / "rows.csv").read_bytes()
    taken = ganvas("sample", str(run), "--out", "rows.csv", cwd=tmp_path)
    assert taken.returncode == 2
    assert "--force" in taken.stderr
    for count in ("0", "-5"):
        none = ganvas("sample", str(run), "--count", count, "--out", "none.csv", cwd=tmp_path)
        assert (none.returncode, (tmp_path / "none.csv").exists()) == (2, False)
        assert f"--count {count}: at least 1 row is needed" in none.stderr
    wrong = ganvas("sample", str(run), "--out", "rows.xlsx", cwd=tmp_path)
    assert "NAME.parquet" in wrong.stderr
    assert ganvas("sample", str(run), "--table", "t", cwd=tmp_path).returncode == 2


def test_parquet_has_the_types(model: TableModel, tmp_path: Path) -> None:
    frame = model.sample(300, seed=2)
    for name in ("a.parquet", "b.parquet"):
        assert list(write.save(str(tmp_path / name), model.portions(300, 2), model.spec)) == [300]
    assert (tmp_path / "a.parquet").read_bytes() == (tmp_path / "b.parquet").read_bytes()
    read = pd.read_parquet(tmp_path / "a.parquet")
    assert read["age"].dtype == "int64"
    assert read["day"].astype("datetime64[s]").equals(frame["day"].astype("datetime64[s]"))
    assert read["country"].isna().equals(frame["country"].isna())
    assert read["plan"].tolist() == frame["plan"].tolist()


def test_a_database_gets_a_table_in_one_transaction(run: Path, model: TableModel, tmp_path: Path) -> None:
    place = f"sqlite:///{tmp_path / 'new.db'}"
    done = ganvas("sample", str(run), "--count", "150", "--out", place, "--table", "people", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("select count(*), count(country) from people").fetchone()[0] == 150
        kinds = {row[1]: row[2] for row in connection.execute("pragma table_info(people)")}
    assert kinds["age"] == "BIGINT"
    assert kinds["day"] == "DATE"
    again = ganvas("sample", str(run), "--out", place, "--table", "people", cwd=tmp_path)
    assert again.returncode == 2
    assert "already has a table people" in again.stderr

    def broken():
        yield from model.portions(10)
        raise UserError("it ends here")

    with pytest.raises(UserError, match="ends here"):
        list(write.save(place, broken(), model.spec, "people", force=True))
    with sqlite3.connect(tmp_path / "new.db") as connection:
        assert connection.execute("select count(*) from people").fetchone()[0] == 150
    other = tmp_path / "other.db"
    with pytest.raises(UserError, match="ends here"):
        list(write.save(f"sqlite:///{other}", broken(), model.spec, "people"))
    assert not other.exists()
    with pytest.raises(UserError, match="ends here"):
        list(write.save(str(tmp_path / "half.csv"), broken(), model.spec))
    assert not [p for p in tmp_path.iterdir() if "half" in p.name]


def test_info_and_card_speak_of_rows(run: Path, tmp_path: Path) -> None:
    told = ganvas("info", str(run), cwd=tmp_path).stdout
    assert "9 columns: 2 numbers, 3 categories, 1 dates, 1 ids, 1 free texts, 1 constants" in told
    assert "plan: category, 3 values" in told
    assert "images" not in told.partition("Settings")[0]
    ganvas("push", str(run), "./page", cwd=tmp_path)
    page = (tmp_path / "page" / "README.md").read_text()
    assert "- tabular" in page
    assert "ganvas sample ./page --count 1000 --where country=DE" in page or "--where" in page
    assert "model.sample(10_000, seed=0)" in page


def test_an_exported_generator_draws_with_numpy_alone(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    done = ganvas("export", str(run), "--out", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    program = {"rows.py", "row_rules.py", "row_values.py"}
    assert {p.name for p in (tmp_path / "out").iterdir()} == {"generator.onnx", "columns.json", "README.md", *program}
    assert ganvas("export", str(run), "--out", "out", cwd=tmp_path).returncode == 2
    command = [sys.executable, "rows.py", "40", "country=BE"]
    drawn = subprocess.run(command, cwd=tmp_path / "out", capture_output=True, text=True, check=False)
    assert drawn.returncode == 0, drawn.stderr
    (tmp_path / "rows.csv").write_text(drawn.stdout)
    made = pd.read_csv(tmp_path / "rows.csv")
    assert list(made) == COLUMNS
    assert {*made["country"]} == {"BE"}
    assert made["day"].str.fullmatch(r"\d\d\.\d\d\.2024").all()  # as the table writes it
    for word in ("country=XX", "nothing=1", "plan"):
        wrong = subprocess.run([*command[:3], word], cwd=tmp_path / "out", capture_output=True, text=True, check=False)
        assert wrong.returncode == 1
        assert word.partition("=")[0] in wrong.stderr
        assert "Traceback" not in wrong.stderr
    model = load(run)
    for name in ("rows", "row_rules", "row_values"):
        monkeypatch.delitem(sys.modules, name, raising=False)  # of another test's export
    monkeypatch.syspath_prepend(str(tmp_path / "out"))
    columns = importlib.import_module("rows").draw(200, seed=4)
    noise = torch.from_numpy(np.random.default_rng(4).random((200, len(model.spec.sizes)), np.float32))
    expected: Any = pd.DataFrame(
        model.spec.decode(*(x.to(t) for x, t in zip(model.generator.draw(noise), KINDS, strict=True)))
    )
    for name in expected:
        texts = [text or "" for text in write.texts_of(expected[name], model.spec.column(name)).to_pylist()]
        texts = [text[1:-1].replace('""', '"') if text[:1] == '"' else text for text in texts]
        differ = sum(a != b for a, b in zip(columns[name], texts, strict=True))
        assert differ <= (10 if name == "price" else 0), name  # a place at the edge of a number
    assert json.loads((tmp_path / "out" / "columns.json").read_text())["columns"][0]["kind"] == "id"
