"""Tables as data of a training: in memory and in the cache, DataFrames, columns.toml, and `ganvas data check`."""

# ruff: noqa: E402  # pandas is an extra
# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import json
import os
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import ganvas

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("pyarrow", reason="needs the extra `tables`")

from ganvas import api
from ganvas.core import cache
from ganvas.core.errors import UserError
from ganvas.core.memmap import Stored
from ganvas.core.progress import last
from ganvas.tables import columns_file, pack, read, write
from ganvas.tables.columns import Column
from ganvas.tables.data import DataConfig, OnDisk, TableData, of_frame
from ganvas.tables.rows import frame_of
from ganvas.tables.spec import TableSpec
from ganvas.training import events

pytestmark = pytest.mark.long


def made(count: int = 1_000, seed: int = 0) -> Any:
    """A table of customers."""
    random = np.random.default_rng(seed)
    plan = random.choice(["free", "plus", "gold"], count, p=[0.7, 0.2, 0.1])
    spent = np.where(plan == "free", 0.0, random.gamma(2, 30, count).round(2))
    day = pd.Timestamp("2023-01-01") + pd.to_timedelta(random.integers(0, 700, count), "D")
    zips = random.choice(["01067", "10115", "80331"], count)
    age = np.where(random.random(count) < 0.1, np.nan, random.integers(18, 90, count))
    motto = [
        f"motto {i % 3} of many words here" if i % 2 else f"only once, number {i}, and never again"
        for i in range(count)
    ]
    return pd.DataFrame({
        "customer": [f"C-{i:05d}" for i in range(count)], "plan": plan, "spent": spent, "since": day, "zip code": zips,
        "age": age, "motto": motto, "land": "DE",
    })  # fmt: skip


def data(source: object, **settings: Any) -> TableData:
    return last(DataConfig(source=str(source), **settings).loading())


def kinds(found: TableData) -> dict[str, str]:
    return {column.name: column.kind for column in found.spec.columns}


@pytest.fixture
def cache_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "ganvas" / "packs"


def test_csv_parquet_and_frame_give_the_same_tokens(tmp_path: Path) -> None:
    frame = made()
    frame.to_csv(tmp_path / "a.csv", index=False)
    frame.to_parquet(tmp_path / "a.parquet")
    found = [data(tmp_path / "a.csv"), data(tmp_path / "a.parquet"), of_frame(frame, "a", DataConfig())]
    for other in found:
        assert torch.equal(other.train.samples[:], found[0].train.samples[:])
        assert torch.equal(other.held_out_rows, found[0].held_out_rows)
        assert kinds(other) == {
            "customer": "id", "plan": "category", "spent": "number", "since": "date", "zip code": "category",
            "age": "number", "motto": "text", "land": "constant",
        }  # fmt: skip
    assert found[1].fingerprint == found[2].fingerprint


def test_a_table_that_does_not_fit_is_read_twice_into_the_cache(
    tmp_path: Path, cache_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = made(5_000)
    frame.to_parquet(tmp_path / "a.parquet")
    whole = data(tmp_path / "a.parquet")
    monkeypatch.setattr(pack, "IN_MEMORY", 1_000)
    monkeypatch.setattr(read, "PORTION", 700)
    found = data(tmp_path / "a.parquet")
    assert isinstance(found.train, OnDisk)
    assert isinstance(found.train.samples, Stored)
    assert found.fingerprint == whole.fingerprint  # the sample is the whole table
    assert torch.equal(found.train.samples[:], whole.train.samples[:])
    assert torch.equal(found.held_out.samples[:], whole.held_out.samples[:])
    (place,) = cache_home.iterdir()
    written = (place / "tokens.bin").stat().st_mtime_ns
    assert data(tmp_path / "a.parquet").fingerprint == found.fingerprint
    assert (place / "tokens.bin").stat().st_mtime_ns == written  # it was found again
    assert [entry.kind for entry in cache.entries()] == ["pack"]
    data(tmp_path / "a.parquet", rare=7)
    assert len(list(cache_home.iterdir())) == 2
    (place / "tokens.bin").write_bytes(bytes((place / "tokens.bin").stat().st_size))
    mended = data(tmp_path / "a.parquet")
    assert mended.fingerprint == found.fingerprint
    assert data(tmp_path / "a.parquet").fingerprint == found.fingerprint


def test_a_sample_stands_for_a_longer_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = made(6_000)
    frame.loc[5_990, "spent"] = np.nan  # the only one
    frame.to_csv(tmp_path / "a.csv", index=False)
    monkeypatch.setattr(pack, "sample_size", lambda _: 2_000)
    monkeypatch.setattr(read.csv_files, "BLOCK", 20_000)
    found = data(tmp_path / "a.csv")
    assert len(found.train.samples) + len(found.held_out.samples) == 6_000
    assert any("come from 2,000 of the 6,000 rows, drawn at random" in note for note in found.notes)
    assert found.spec.column("spent").parts[0].missing == 1
    assert found.fingerprint == data(tmp_path / "a.csv").fingerprint
    rows = read.Rows(read.opened(str(tmp_path / "a.csv")))
    looked = last(pack.look(rows))
    assert looked.frame.index.is_monotonic_increasing
    assert looked.count == 6_000
    assert looked.missing["spent"] == 1
    assert abs(np.mean(looked.frame.index) - 3_000) < 150  # from all of it
    assert looked.frame["customer"].tolist() == [f"C-{i:05d}" for i in looked.frame.index]


def test_a_value_of_another_kind_behind_the_sample_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frame = made(6_000).astype({"spent": object})
    monkeypatch.setattr(pack, "sample_size", lambda _: 2_000)
    looked = last(pack.look(read.Rows(read.Frame(frame)))).frame.index
    row = next(i for i in range(5_000, 6_000) if i not in looked)
    frame.loc[row, "spent"] = "lots"
    frame.astype(str).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UserError, match=f'Row {row + 1:,} of the column spent holds "lots", which is not a number'):
        data(tmp_path / "a.csv")


def test_free_text_is_left_empty_or_drawn_from_what_many_rows_have() -> None:
    frame = made()
    assert kinds(of_frame(frame, "a", DataConfig()))["motto"] == "text"
    found = of_frame(frame, "a", DataConfig(text="resample"))
    assert kinds(found)["motto"] == "category"
    assert set(found.spec.column("motto").parts[0].values) == {f"motto {i} of many words here" for i in range(3)}
    assert any(note.startswith("motto: drawn from 3 texts that at least 5 rows have") for note in found.notes)
    frame["motto"] = [f"only once, number {i}, and never again" for i in range(len(frame))]
    found = of_frame(frame, "a", DataConfig(text="resample"))
    assert kinds(found)["motto"] == "text"
    assert "motto: no text occurs in 5 rows or more: left empty." in found.notes


def test_what_few_rows_have_is_not_learned() -> None:
    frame = made()
    frame["secret"] = [f"{i}.5" if i in (3, 700) else None for i in range(len(frame))]
    frame["word"] = [f"w{i // 3}" for i in range(len(frame))]
    found = of_frame(frame, "a", DataConfig())
    assert kinds(found)["secret"] == "constant"
    assert kinds(found)["word"] == "text"
    assert "word: no value occurs in 5 rows or more: left empty." in found.notes
    assert not any("700.5" in json.dumps(c.to_dict()) for c in found.spec.columns)


# columns.toml


def test_columns_toml_comes_back(tmp_path: Path) -> None:
    columns = [
        Column("age", "number", "int"),
        Column('ein "Name"', "number", "float", decimals=2, form="€ 1.234,5", doubt="why\nnot"),
        Column("größe", "category", order=("S", "M")),
        Column("since", "date", "date", form="%d/%m/%Y"),
        Column("at", "number", "clock", form="%H:%M"),
    ]
    path = tmp_path / "columns.toml"
    path.write_text(
        columns_file.text(
            "a.csv", "columns.toml", columns, {"age": "72 different"}, [("age > at", "never")], ["at > age"]
        ),
        "utf-8",
    )
    found = columns_file.read(str(path))
    assert found.rules == {"keep": ["age > at"], "refuse": ["at > age"]}
    assert found.columns == {
        "age": {"kind": "number"},
        'ein "Name"': {"kind": "number", "form": "€ 1.234,5"},
        "größe": {"kind": "category", "order": ["S", "M"]},
        "since": {"kind": "date", "form": "%d/%m/%Y"},
        "at": {"kind": "number", "type": "clock", "form": "%H:%M"},
    }
    assert 'age = "number"  # 72 different' in path.read_text("utf-8")
    assert "# doubtful: why\\nnot" in path.read_text("utf-8")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("[columns", "cannot be read as TOML"),
        ("[column]\na = 'id'", "has a part 'column': only [columns] and [rules] are allowed"),
        ("columns = 3", "columns is not a group"),
        ("[columns]\na = 'numbr'", "'numbr'. Did you mean 'number'?"),
        ("[columns]\na = 3", 'the column a is 3: write a = "number"'),
        ("[columns]\na = { kynd = 'id' }", "no entry of the column a 'kynd'. Did you mean 'kind'?"),
        ("[columns]\na = { decimals = 'two' }", "decimals of the column a is 'two', which is not allowed"),
        ("[columns]\na = { order = [1] }", "order of the column a is a list of texts"),
        ("[columns]\ngone = 'id'", "There is no column 'gone'"),
    ],
)
def test_what_columns_toml_cannot_say(tmp_path: Path, text: str, sentence: str) -> None:
    (tmp_path / "columns.toml").write_text(text)
    with pytest.raises(UserError) as caught:
        of_frame(made(), "a", DataConfig(columns=str(tmp_path / "columns.toml")))
    assert sentence in str(caught.value)


def test_columns_toml_and_single_kinds_decide(tmp_path: Path) -> None:
    frame, path = made(), tmp_path / "columns.toml"
    path.write_text('[columns]\nage = "category"\n"zip code" = "skip"\nspent = "id"\n')
    config = api.experiment("table", None, {"columns": str(path), "column.spent": "number", "column.plan": "text"}).data
    found = kinds(of_frame(frame, "a", config))
    assert (found["age"], found["spent"], found["plan"]) == ("category", "number", "text")
    assert "zip code" not in found
    with pytest.raises(UserError, match="There is no kind of column"):
        of_frame(frame, "a", api.experiment("table", None, {"column.spent": "nmber"}).data)
    with pytest.raises(UserError, match=r"There is no setting 'colum\.spent'"):
        api.experiment("table", None, {"colum.spent": "number"})
    with pytest.raises(UserError, match=r"There is no setting 'column\.spent'"):
        api.experiment("mnist", None, {"column.spent": "number"})


# The commands, and a training


def test_data_check_says_what_there_is(tmp_path: Path) -> None:
    frame = made()
    frame["joined"] = [f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(len(frame))]
    frame.to_csv(tmp_path / "customers.csv", index=False)
    before = (tmp_path / "customers.csv").read_bytes()
    done = ganvas("data", "check", "customers.csv", "column.plan=category", "--columns", "columns.toml", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for text in (
        "1,000 rows and 9 columns in customers.csv", " ? joined", " - customer", "Doubtful (?)", "cannot be told apart",
        "Skipped (-), not learned", "customer: id, newly made, never learned", "columns.toml was written",
        "ganvas train table --data customers.csv column.plan=category columns=columns.toml",
    ):  # fmt: skip
        assert text in done.stdout, done.stdout
    assert set(columns_file.read(str(tmp_path / "columns.toml")).columns) == set(frame)
    assert (tmp_path / "customers.csv").read_bytes() == before
    again = ganvas("data", "check", "customers.csv", "--columns", "columns.toml", cwd=tmp_path)
    assert again.returncode == 2
    assert "columns.toml already exists" in again.stderr
    done = ganvas("data", "check", "customers.csv", "columns=columns.toml", "--json", cwd=tmp_path)
    found = {column["name"]: column for column in json.loads(done.stdout)["columns"]}
    assert "doubt" not in found["joined"]  # what stands in the file is not doubtful
    assert found["age"]["missing"] == int(frame["age"].isna().sum())
    done = ganvas("data", "check", "customers.csv", "size=3", cwd=tmp_path)
    assert "There is no setting 'size'" in done.stderr


SMALL: dict[str, Any] = {"device": "cpu", "batch": 64, "sample_every": 640, "width": 16, "d_width": 16}


def last_event(run: Path, frame: object, **settings: Any) -> None:
    for _ in api.train("table", data=frame, run=run, **SMALL, **settings):
        pass


def test_a_data_frame_trains_and_goes_on(tmp_path: Path) -> None:
    frame = made(300)
    stopped = api.train("table", data=frame, run=tmp_path / "run", images=1_280, **SMALL)
    for event in stopped:
        if isinstance(event, events.Sampled) and event.images == 640:
            break
    stopped.close()  # pyright: ignore[reportAttributeAccessIssue]
    last_event(tmp_path / "run", frame, images=1_280)
    last_event(tmp_path / "whole", frame, images=1_280)
    run, whole = _weights(tmp_path / "run"), _weights(tmp_path / "whole")
    assert run.keys() == whole.keys()
    assert all(torch.equal(run[name], whole[name]) for name in run)
    other = made(300, seed=1)
    with pytest.raises(UserError, match="was trained on other"):
        last_event(tmp_path / "run", other, images=1_280)
    del frame, other
    done = ganvas("resume", "run", "images=2560", cwd=tmp_path)
    assert done.returncode == 2
    assert "learns from a DataFrame that only the Python program had" in done.stderr
    made(300).to_parquet(tmp_path / "same.parquet")
    done = ganvas("resume", "run", "images=1920", "--data", "same.parquet", cwd=tmp_path)
    assert done.returncode == 0, done.stderr


def _weights(run: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(run / "model.safetensors")


def test_data_that_is_no_table_is_refused() -> None:
    with pytest.raises(UserError, match="data=list: a table is a path, a database's address or a pandas DataFrame"):
        api.experiment("table", [1, 2])
    with pytest.raises(UserError, match="data=DataFrame does not hold pictures"):
        api.experiment("mnist", made(30))
    twice = pd.DataFrame([[1, 2]] * 30, columns=["a", "a"])
    with pytest.raises(UserError, match="DataFrame has two columns that are called 'a'"):
        data(read.named(twice))


def test_the_command_line_trains_a_table_of_a_database(tmp_path: Path) -> None:
    import sqlite3

    pytest.importorskip("sqlalchemy")
    with sqlite3.connect(tmp_path / "shop.db") as connection:
        made(300).astype({"since": str}).to_sql("people", connection, index=False)
        connection.execute("CREATE TABLE other (id INTEGER)")
    connection.close()
    told = ("train", "table", "batch=64", "images=640", "sample_every=640", "--data", "sqlite:///shop.db")
    done = ganvas(*told, "--table", "people", "--run", "run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    card = json.loads((tmp_path / "run" / "experiment.json").read_text())["data"]
    assert card["source"] == f"sqlite:///{tmp_path}/shop.db"
    assert card["table"] == "people"
    (tmp_path / "elsewhere").mkdir()
    done = ganvas("resume", "../run", "images=1280", cwd=tmp_path / "elsewhere")
    assert done.returncode == 0, done.stderr
    done = ganvas(*told, "--run", "run2", cwd=tmp_path)
    assert done.returncode == 0, done.stderr  # all tables: the empty one has nothing to learn
    assert json.loads((tmp_path / "run2" / "experiment.json").read_text())["parts"] == ["people"]
    shutil.rmtree(tmp_path / "run")
    assert not os.path.exists(tmp_path / "run2" / "model.safetensors")


def test_digits_that_are_always_written_stay(tmp_path: Path) -> None:
    """12.50 is a price and 450000.0 a whole number of a program that knows floats: what is drawn looks the same."""
    random = np.random.default_rng(0)
    lines = [
        f"{n / 10:.2f},{n % 50}.0,{n / 7:.{1 + n % 3}f},{n % 40},{'' if n % 9 == 0 else f'{n / 8:.3f}'},1.50,{n % 2}.0"
        for n in random.integers(10, 2_000, 300)
    ]
    path = tmp_path / "a.csv"
    path.write_text("\n".join(["price,whole,mixed,plain,gaps,same,code", *lines]) + "\n")
    loaded = last(DataConfig(source=str(path)).loading())
    assert [column.digits for column in loaded.spec.columns] == [2, 1, -1, -1, 3, 2, 1]
    assert TableSpec.from_dict(loaded.spec.to_dict()) == loaded.spec
    place = torch.rand(loaded.train.samples.shape, generator=torch.Generator().manual_seed(0))
    text = write.csv_of(frame_of(loaded.spec, loaded.decode(loaded.train.samples[:]), place), loaded.spec).decode()
    for line in text.splitlines()[1:]:
        assert re.fullmatch(r"\d+\.\d\d,\d+\.0,\d+\.\d{1,3},\d+,(\d+\.\d{3})?,1\.50,[01]\.0", line), line


def test_no_time_is_outside_of_the_table() -> None:
    """The first day begins at 22:00 and the last ends at 2:00, though all other days have every hour."""
    hours = pd.date_range("2024-03-01 22:00", "2024-03-20 02:00", freq="h")
    frame = pd.DataFrame({"at": np.repeat(hours, 6), "n": np.arange(6 * len(hours)) % 7})
    spec = of_frame(frame, "visits", DataConfig(rules=False)).spec
    tokens = torch.stack([torch.randint(0, size, (20_000,)) for size in spec.sizes], 1)
    drawn = spec.decode(tokens, torch.rand(tokens.shape))["at"].dropna()
    assert len(drawn) > 10_000
    assert hours[0] <= drawn.min()
    assert drawn.max() <= hours[-1]
    assert drawn.dt.hour.nunique() == 24
