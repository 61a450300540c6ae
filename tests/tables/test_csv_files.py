"""CSV files of any kind, and those that are refused."""

# ruff: noqa: E402  # pandas is an extra
# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import gzip
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")
pytest.importorskip("pyarrow", reason="needs the extra `tables`")

from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.tables import chosen, csv_files, forms, read
from ganvas.tables.data import DataConfig, TableData

TEXT = 'Stadt;Preis;gekauft\nKöln;1.234,50;ja\n"Zürich; Höngg";0,99;nein\nNîmes;12,00;\n'


def rows(path: Path, **settings: str) -> Any:
    """All rows as they are stored."""
    source = read.opened(str(path), **settings)
    return pd.concat(read.Rows(source).portions())


def write(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("packed", [False, True])
def test_encodings(tmp_path: Path, encoding: str, packed: bool) -> None:
    data = TEXT.encode(encoding)
    path = write(tmp_path / "a.csv", gzip.compress(data) if packed else data)
    frame = rows(path)
    assert list(frame) == ["Stadt", "Preis", "gekauft"]
    assert frame["Stadt"].tolist() == ["Köln", "Zürich; Höngg", "Nîmes"]
    assert frame["Preis"].tolist() == ["1.234,50", "0,99", "12,00"]
    assert frame["gekauft"].isna().tolist() == [False, False, True]
    notes = read.opened(str(path)).notes
    assert notes == ([] if encoding.startswith("utf-8") else notes)
    assert len(notes) == (not encoding.startswith("utf-8"))


def test_numbers_of_such_a_file(tmp_path: Path) -> None:
    frame = read.table(str(write(tmp_path / "a.csv", TEXT.encode("cp1252"))))
    assert frame["Preis"].tolist() == [1234.5, 0.99, 12.0]


@pytest.mark.parametrize("mark", [",", ";", "\t", "|", "^"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_delimiters_and_ends_of_lines(tmp_path: Path, mark: str, end: str) -> None:
    lines = ["name;n;quoted", 'a, b;1;"two\nlines"', 'c;2;"say ""hi"""', "d;3;"]
    text = end.join(lines).replace("a, b", "ab").replace(";", mark) + end
    frame = rows(write(tmp_path / "a.csv", text))
    assert frame["n"].tolist() == ["1", "2", "3"]
    assert frame["quoted"].tolist()[:2] == ["two\nlines", 'say "hi"']


def test_a_delimiter_of_the_users(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a:b\n1,5:2\n3,5:4\n")
    assert rows(path, delimiter=":")["b"].tolist() == ["2", "4"]
    with pytest.raises(UserError, match="cells must be separated by one ASCII character"):
        rows(path, delimiter="::")
    with pytest.raises(UserError, match="not one that Python knows"):
        rows(path, encoding="klingon")
    with pytest.raises(UserError, match="is not written in ascii"):
        rows(write(path, "ä,b\n1,2\n"), encoding="ascii")
    with pytest.raises(UserError, match="is not written in ascii"):  # far behind what is looked at
        rows(write(path, "a,b\n" + "1,2\n" * 200_000 + "ä,2\n"), encoding="ascii")


def test_a_file_that_is_no_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(bytes(range(256)) * 40)
    with pytest.raises(UserError, match="is not a text file"):
        rows(path)


def test_what_spreadsheets_write(tmp_path: Path) -> None:
    frame = rows(write(tmp_path / "a.csv", "sep=;\r\na;b\r\n1;2\r\n"))
    assert frame.to_dict("list") == {"a": ["1"], "b": ["2"]}
    frame = rows(write(tmp_path / "a.csv", "age, job\n39, clerk\n50, none\n"))
    assert frame["job"].tolist() == ["clerk", "none"]
    frame = rows(write(tmp_path / "a.csv", "\n\na,b\n1,2\n\n3,4\n"))
    assert frame["b"].tolist() == ["2", "4"]


def test_names_that_are_missing_are_made_and_said(tmp_path: Path) -> None:
    source = read.opened(str(write(tmp_path / "a.csv", ",x\n0,5\n1,6\n")))
    assert list(pd.concat(source.portions())) == ["column 1", "x"]
    assert "Column 1 of a.csv has no name: it is called 'column 1'." in source.notes
    source = read.opened(str(write(tmp_path / "b.csv", "5.0,3,7\n1,2,3\n")))
    assert "is its first line a row and not a header?" in source.notes[0]


def test_cells_that_mean_missing_are_said(tmp_path: Path) -> None:
    lines = [f"{i},{'?' if i % 5 == 0 else 'NULL' if i % 7 == 0 else 'x' if i % 2 else 'y'},NA" for i in range(60)]
    path = write(tmp_path / "a.csv", "n,word,country\n" + "\n".join(lines) + "\n")
    found = read.Rows(read.opened(str(path)))
    frame = pd.concat(found.portions())
    assert frame["word"].isna().sum() == 12 + 7
    assert found.sentences()[0].startswith('word: 12 cells hold "?", 7 cells hold "NULL": treated as missing (missing=')
    frame = pd.concat(read.Rows(read.opened(str(path)), "?,NULL").portions())
    assert frame["country"].eq("NA").all()


@pytest.mark.parametrize("content", ["", "\n\n", "\ufeff", " \n"])
def test_an_empty_file_is_refused(tmp_path: Path, content: str) -> None:
    with pytest.raises(UserError, match=r"a\.csv is empty: a table needs a line with the names"):
        rows(write(tmp_path / "a.csv", content))


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("a,b\n1,2\n3,4,5\n6,7\n", "Line 3 of {} has 3 cells, but there are 2 columns, with commas between them"),
        ("a;b;c\n1;2;3\n4;5\n", "Line 3 of {} has 2 cells, but there are 3 columns, with semicolons between them"),
        ('a,b\n"x\ny",2\n\n3\n', "Line 5 of {} has 1 cells, but there are 2 columns"),
        ("sep=,\na,b\n1,2,3\n", "Line 3 of {} has 3 cells"),
        ("a,b,a\n1,2,3\n", "a.csv has two columns that are called 'a': give each its own name."),
    ],
)
def test_files_that_are_no_tables_are_refused(tmp_path: Path, text: str, sentence: str) -> None:
    path = write(tmp_path / "a.csv", text)
    with pytest.raises(UserError) as caught:
        rows(path)
    assert sentence.format(path) in str(caught.value)


def test_a_ragged_line_far_behind_is_found(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 3_000_000 + "3\n" + "4,5\n" * 10)
    with pytest.raises(UserError, match=r"Line 3,000,002 of .* has 1 cells"):
        rows(path)


def test_damaged_files_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv.gz", gzip.compress(os.urandom(20_000).hex().encode() * 3)[:-4_000])
    with pytest.raises(UserError, match="it cannot be unpacked"):
        rows(path)
    with pytest.raises(UserError, match="not a CSV file but a ZIP archive or an Excel file"):
        rows(write(tmp_path / "b.csv", b"PK\x03\x04" + bytes(99)))
    with pytest.raises(UserError, match="There is no file"):
        rows(tmp_path / "gone.csv")
    with pytest.raises(UserError, match="is a folder: name a table in it"):
        rows(tmp_path)
    with pytest.raises(UserError, match="cannot be read as Parquet"):
        rows(write(tmp_path / "c.parquet", b"PAR1" + bytes(99)))
    with pytest.raises(UserError, match="--table orders is for databases"):
        rows(path, table="orders")


def test_a_file_that_changes_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(csv_files, "BLOCK", 1_000)
    path = write(tmp_path / "a.csv", "a,b\n" + "1,2\n" * 5_000)

    def growing() -> Iterator[object]:
        for part in read.opened(str(path)).portions():
            path.write_text("a,b\n3,4\n")
            yield part

    with pytest.raises(UserError, match=r"a\.csv changes while it is read\. Read it when nothing writes to it"):
        list(growing())


def data(path: Path, **settings: object) -> TableData:
    return last(DataConfig(source=str(path), **settings).loading())  # pyright: ignore[reportArgumentType]


def test_tables_of_which_nothing_can_be_learned(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    with pytest.raises(UserError, match=r"a\.csv has columns \(a, b\) but no rows"):
        data(write(path, "a,b\n"))
    with pytest.raises(UserError, match="has 3 rows: at least 20 are needed"):
        data(write(path, "a,b\n1,2\n3,4\n5,6\n"))
    ids = "\n".join(f"C-{i:04d},{i}" for i in range(100))
    with pytest.raises(UserError, match=r"No column can be learned \(code: id, n: id\)"):
        data(write(path, f"code,n\n{ids}\n"))
    with pytest.raises(UserError, match="No column can be learned"):
        data(write(path, "a,b\n" + "1,x\n" * 50))


def test_one_column_is_enough(tmp_path: Path) -> None:
    found = data(write(tmp_path / "a.csv", "n\n" + "".join(f"{i % 9}\n" for i in range(100))))
    assert tuple(found.train.samples.shape) == (90, 1)


@pytest.mark.parametrize("packed", [False, True])
@pytest.mark.parametrize("word", ["Summe", "Grand total:", "TOTAL", "Gesamtsumme"])
def test_a_last_line_of_totals_is_no_row(tmp_path: Path, word: str, packed: bool) -> None:
    lines = ["Beleg;Ort;Menge;Betrag", *(f"RE{i};Köln;{i};{i},50" for i in range(9))]
    data = "\r\n".join([*lines, f"{word};;;40,50", ""]).encode("cp1252")
    path = write(tmp_path / "a.csv", gzip.compress(data) if packed else data)
    assert rows(path)["Beleg"].tolist() == [f"RE{i}" for i in range(9)]
    assert sum("totals" in note and "40,50" in note for note in read.opened(str(path)).notes) == 1


@pytest.mark.parametrize("end", ["Summe;Köln;9;9,50", "RE9;;;40,50", "Summerfield;;;40,50"])
def test_a_last_line_that_may_be_a_row_is_one(tmp_path: Path, end: str) -> None:
    lines = ["Beleg;Ort;Menge;Betrag", *(f"RE{i};Bonn;{i};{i},50" for i in range(9)), end]
    assert len(rows(write(tmp_path / "a.csv", "\n".join(lines)))) == 10


def test_decimals_after_a_comma_are_written_as_they_were(tmp_path: Path) -> None:
    """A discount of 3,0 stays 3,0 where all have a decimal, though all are whole."""
    lines = ["rabatt;menge;preis", *(f"{i % 4},0;{i};1.00{i % 7},{i:02d}" for i in range(60))]
    path = write(tmp_path / "a.csv", "\n".join(lines))
    frame = read.Rows(read.opened(str(path)))
    texts = pd.concat(frame.portions())
    columns = chosen.columns(texts, {})
    assert [c.digits for c in columns] == [1, -1, 2]
    written = forms.written(read.typed(texts, columns), columns)
    assert written["rabatt"].tolist() == texts["rabatt"].tolist()
    assert written["preis"].tolist() == texts["preis"].tolist()
