"""Data of another kind than a recipe learns from: the error says which recipe does."""

from __future__ import annotations

import sqlite3
import tarfile
import zipfile
from pathlib import Path

import pytest
from conftest import ganvas
from PIL import Image

from ganvas import api
from ganvas.core.errors import UserError


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("kinds")
    (place / "pictures" / "cats").mkdir(parents=True)
    Image.new("RGB", (9, 9)).save(place / "pictures" / "cats" / "a.png")
    (place / "x.png").write_bytes((place / "pictures" / "cats" / "a.png").read_bytes())
    for name in ("x.csv", "x.parquet", "notes.txt"):
        (place / name).write_text("a,b\n1,2\n")
    (place / "tables").mkdir()
    (place / "tables" / "x.csv").write_text("a,b\n1,2\n")
    sqlite3.connect(place / "x.db").close()
    with zipfile.ZipFile(place / "pictures.zip", "w") as file, zipfile.ZipFile(place / "tables.zip", "w") as other:
        file.write(place / "x.png", "cats/a.png")
        other.write(place / "x.csv", "x.csv")
    with tarfile.open(place / "pictures.tar.gz", "w:gz") as file:
        file.add(place / "x.png", "cats/a.png")
    return place


@pytest.mark.parametrize("recipe", ["images", "mnist", "denoise", "translate"])
@pytest.mark.parametrize("data", ["x.csv", "x.parquet", "x.db", "sqlite:///x.db", "postgresql://me:s3cret@host/shop"])
def test_tables_are_for_the_recipe_of_tables(
    place: Path, monkeypatch: pytest.MonkeyPatch, recipe: str, data: str
) -> None:
    monkeypatch.chdir(place)
    with pytest.raises(UserError, match=f"holds rows, and the recipe {recipe} .*ganvas train table --data ") as refused:
        api.experiment(recipe, data)
    assert "s3cret" not in str(refused.value)


@pytest.mark.parametrize("data", ["pictures", "pictures.zip", "pictures.tar.gz", "mnist"])
def test_pictures_are_for_a_recipe_of_pictures(place: Path, monkeypatch: pytest.MonkeyPatch, data: str) -> None:
    monkeypatch.chdir(place)
    if data == "mnist":
        (place / data).touch()
    with pytest.raises(UserError, match=f"^{data} holds images, .*with:  ganvas train images --data {data}$"):
        api.experiment("table", data)


def test_both_sides_of_a_translation_are_pictures(place: Path) -> None:
    with pytest.raises(UserError, match="holds rows, and the recipe translate learns from images"):
        api.experiment("translate", place / "pictures", to=place / "x.csv")


def test_what_is_of_no_kind_is_refused_by_the_recipe_itself(place: Path) -> None:
    for data, sentence in (
        ("none.csv", "There is no file"),
        ("tables", "is a folder: name a table in it"),
        ("tables.zip", "is not a CSV file but a ZIP archive"),
        ("x.png", "is not a CSV file but a picture; ganvas train images --data FOLDER"),
    ):
        done = ganvas("train", "table", "--data", data, "--dry-run", cwd=place)
        assert done.returncode == 2
        assert sentence in done.stderr
    done = ganvas("train", "images", "--data", "none.csv", "--dry-run", cwd=place)
    assert "There is no file or folder" in done.stderr


def test_a_folder_of_pictures_may_have_a_table_s_name(place: Path) -> None:
    (place / "my.db").mkdir()
    Image.new("RGB", (9, 9)).save(place / "my.db" / "a.png")
    assert api.experiment("images", place / "my.db").data.source == str(place / "my.db")
