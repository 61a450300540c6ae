"""Of which kind a column is taken for, from its values."""

# ruff: noqa: E402  # pandas is an extra
# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false, reportReturnType=false
# pyright: reportGeneralTypeIssues=false, reportCallIssue=false

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")

from ganvas.core.errors import UserError
from ganvas.tables import chosen, forms, read
from ganvas.tables.columns import Column
from ganvas.tables.recognise import recognise

N = 600


def verdict(values: Sequence[Any], name: str = "x") -> Column:
    """What is said of a column with these values, as a source gives them."""
    (frame,) = read.Rows(read.Frame(pd.DataFrame({name: list(values)}))).portions()
    return recognise(frame[name])


def some(texts: Sequence[Any], count: int = N) -> list[Any]:
    """Some of these, in an order that follows from their number."""
    return [texts[i] for i in np.random.default_rng(0).integers(0, len(texts), count)]


R = np.random.default_rng(1)
PRICES = R.uniform(1, 9_999_999, N).round(2)
DAYS = [dt.date(2020, 1, 1) + dt.timedelta(int(i)) for i in R.integers(0, 900, N)]
SECONDS = [dt.datetime(2020, 1, 1) + dt.timedelta(minutes=int(i)) for i in R.integers(0, 900_000, N)]

CASES = {
    "numbers as text": (map(str, PRICES), "number float", ""),
    "whole numbers": (map(str, R.integers(-50, 5_000, N)), "number int", ""),
    "with gaps": ([None if i % 7 == 0 else str(i % 50) for i in range(N)], "number int", ""),
    "decimal comma": ((f"{p:.2f}".replace(".", ",") for p in PRICES), "number float 1234,5", ""),
    "thousands": ((f"{p:,.2f}" for p in PRICES), "number float 1,234.5", ""),
    "German": ((f"{p:,.2f}".translate(str.maketrans(",.", ".,")) for p in PRICES), "number float 1.234,5", ""),
    "French": ((f"{p:,.2f}".replace(",", "\u202f").replace(".", ",") for p in PRICES), "number float 1\u202f234,5", ""),
    "Swiss": ((f"{p:,.2f}".replace(",", "'") for p in PRICES), "number float 1'234.5", ""),
    "euros": ((f"€ {p:,.2f}" for p in PRICES), "number float € 1,234.5", ""),
    "dollars": ((f"${p:.2f}" for p in PRICES), "number float $1234.5", ""),
    "with unit": ((f"{p:.1f} kg" for p in PRICES), "number float 1234.5 kg", ""),
    "per cent": ((f"{i % 101}%" for i in range(N)), "number int 1234.5%", ""),
    "powers": ((f"{p:.3e}" for p in PRICES / 1e7), "number", ""),
    "three places": ((f"{i % 900 + 1},{i % 1000:03d}" for i in range(N)), "number int 1,234.5", "1,234 is read as"),
    "some words": (["unknown" if i % 50 == 7 else str(i % 90) for i in range(N)], "number int", "row"),
    "several units": (some(["10 kg", "500 g", "3 lb", "12 kg", "80 g"]), "category text", "several units"),
    "numbers and words": ([str(i % 40) if i % 3 else f"w {i % 9}" for i in range(N)], "category text", "row 2 holds"),
    "zip codes": ((f"{i:05d}" for i in R.integers(501, 99_000, N) // 900 * 900), "category text", ""),
    "phone numbers": ((f"+49 170 {i:07d}" for i in R.permutation(N)), "id text", ""),
    "phones as digits": ((f"0170{i:07d}" for i in R.permutation(N)), "id text", ""),
    "card numbers": ((f"{4_000_000_000_000_000 + i * 7}" for i in R.permutation(N)), "id text", ""),
    "ids of letters and digits": ((f"CUST-{i:05d}" for i in R.permutation(N)), "id text", ""),
    "yes or no": (some(["yes", "no"]), "category text", ""),
    "ja or nein": (some(["J", "N", None]), "category text", ""),
    "bool": (some([True, False]), "category bool", ""),
    "bool with gaps": (some([True, False, None]), "category bool", ""),
    "0 or 1": (some([0, 1]), "category int", ""),
    "years": (R.integers(1950, 2024, N), "number int", ""),
    "years as text": (map(str, R.integers(1950, 2024, N)), "number int", ""),
    "latitude": (R.uniform(-90, 90, N).round(6), "number float", ""),
    "one value": (["same"] * N, "constant text", ""),
    "one number": (["7"] * N, "constant int", ""),
    "nothing": ([None] * N, "constant text", "no row has a value"),
    "one value and gaps": (some(["same", None]), "category text", ""),
    "nearly empty": ([str(i) if i % 60 == 0 else None for i in range(N)], "number int", ""),
    "ISO days": (map(str, DAYS), "date date %Y-%m-%d", ""),
    "German days": ((d.strftime("%d.%m.%Y") for d in DAYS), "date date %d.%m.%Y", ""),
    "American days": ((d.strftime("%m/%d/%Y") for d in DAYS), "date date %m/%d/%Y", ""),
    "British days": ((d.strftime("%d/%m/%Y") for d in DAYS), "date date %d/%m/%Y", ""),
    "ambiguous days": ((f"0{i % 9 + 1}/0{i % 7 + 1}/2020" for i in range(N)), "date date", "cannot be told apart"),
    "months in words": ((d.strftime("%d %b %Y") for d in DAYS), "date date %d %b %Y", ""),
    "months": ((d.strftime("%b-%Y") for d in DAYS), "date date %b-%Y", ""),
    "days as numbers": ([int(d.strftime("%Y%m%d")) for d in DAYS], "date date %Y%m%d", "eight digits"),
    "no real days": (["2020-02-30" if i % 90 == 5 else str(d) for i, d in enumerate(DAYS)], "date date", "not a date"),
    "times": ((s.strftime("%Y-%m-%d %H:%M:%S") for s in SECONDS), "date time %Y-%m-%d %H:%M:%S", ""),
    "times with zones": ((f"{s:%Y-%m-%dT%H:%M:%S}+02:00" for s in SECONDS), "date time %Y-%m-%dT%H:%M:%S%:z", ""),
    "offsets that differ": ((f"{s:%Y-%m-%d %H:%M:%S}+0{s.month % 2 + 1}00" for s in SECONDS), "date time", "differ"),
    "times of twelve hours": ((s.strftime("%m/%d/%Y %I:%M %p") for s in SECONDS), "date time %m/%d/%Y %I:%M %p", ""),
    "parts of seconds": ((f"{s:%Y-%m-%d %H:%M:%S}.25" for s in SECONDS), "date time", "fractions"),
    "times of day": ((s.strftime("%H:%M") for s in SECONDS), "number clock %H:%M", ""),
    "durations": ((f"{i % 90}:{i % 60:02d}:{i % 7:02d}" for i in range(N)), "number span H:M:S", ""),
    "durations of days": ((f"{i % 9} days {i % 24:02d}:00:00" for i in range(N)), "number span D days H:M:S", ""),
    "ISO durations": ((f"PT{i % 9 + 1}H{i % 60}M" for i in range(N)), "number span PTHMS", ""),
    "timedeltas": ([dt.timedelta(minutes=int(i)) for i in R.integers(0, 900, N)], "number span", ""),
    "datetime.time": ([dt.time(int(i) % 24, 15) for i in range(N)], "number clock %H:%M:%S", ""),
    "datetime.date": (DAYS, "date date", ""),
    "Decimal": ([decimal.Decimal(f"{p:.2f}") for p in PRICES], "number float", ""),
    "lists": ([[int(i) % 5, 2] for i in range(N)], "text text", "JSON"),
    "JSON": ((f'{{"a": {i}}}' for i in range(N)), "text text", "JSON"),
    "free text": ((f"order {i} came late, the box was open {i * 7}" for i in range(N)), "text text", "free text"),
    "mixed types": ([i if i % 2 else f"x{i % 20}" for i in range(N)], "category text", "numbers and words"),
    "huge whole numbers": ([2**60 + i % 300 for i in range(N)], "id int", "too many digits"),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_the_kind_of_a_column(case: str) -> None:
    values, kind, doubt = CASES[case]
    found = verdict(list(values))
    said = f"{found.kind} {found.type} {found.form}".strip()
    assert said.startswith(kind), (said, found.doubt)
    if kind.count(" ") >= 2:
        assert said == kind
    assert doubt in found.doubt
    assert doubt or not found.doubt, found.doubt


def test_names_tell_ids_from_numbers() -> None:
    shuffled = R.permutation(10 * N)[:N]
    assert verdict(shuffled, "order_id").kind == "id"
    assert verdict(range(1, N), "anything").kind == "id"  # one more in each row
    assert "an id?" in verdict(shuffled, "price").doubt
    assert verdict(shuffled, "price").kind == "number"
    assert verdict(R.uniform(50, 52, N), "latitude").kind == "number"
    assert verdict(R.permutation(N) * 1.5 + 47.123, "longitude").kind == "number"
    assert verdict(R.integers(10, 20, N) * 1000 + 5, "zip").kind == "category"
    assert verdict(some([10, 20, 99]), "status").doubt == "numbers that are codes?"


def test_rows_that_are_no_number_are_named() -> None:
    texts = [str(i % 90) for i in range(N)]
    texts[6], texts[20] = "n.n.", "none yet"
    found = verdict(texts)
    assert found.kind == "number"
    assert found.doubt == '2 values are not a number ("n.n.", "none yet"; rows 7, 21): treated as missing'


def test_a_few_values_with_more_decimals_do_not_decide() -> None:
    values = PRICES.copy()
    values[5] = 3.141592653589793
    found = verdict(values)
    assert found.decimals == 2
    assert "rounded to 2" in found.doubt
    assert verdict(R.uniform(0, 1, N)).decimals == -1


@pytest.mark.parametrize("case", [c for c, (_, kind, _) in CASES.items() if kind.split()[0] in ("number", "date")])
def test_values_come_back_as_they_were_written(case: str) -> None:
    (frame,) = read.Rows(read.Frame(pd.DataFrame({"x": list(VALUES[case])}))).portions()
    column = recognise(frame["x"], "x")
    typed = read.typed(frame, [column])
    fitted = column.fitted(typed["x"], 1)
    tokens = fitted.encode(typed["x"])
    back = fitted.decode(tokens, np.zeros(tokens.shape))
    wide = max(len(part.counts) for part in fitted.parts)
    if wide < 400 and "zones" not in case:  # then each value has a cell of its own
        pairs = zip(typed["x"], back, strict=True)
        assert all((pd.isna(a) and pd.isna(b)) or a == b for a, b in pairs)
    out = forms.written(pd.DataFrame({"x": typed["x"]}), [column])["x"]
    if column.form and not column.doubt and frame["x"].dtype == "str" and case != "powers":
        same = out.dropna() == frame["x"][out.notna()]
        assert same.mean() > 0.85, list(zip(out, frame["x"], strict=True))[:5]  # '1.10' and '1.1' are one number
    again = read.typed(pd.DataFrame({"x": out}), [column])["x"]
    assert ((again == typed["x"]) | again.isna()).all()


VALUES = {case: list(values) for case, (values, _, _) in CASES.items()}
CASES = {case: (VALUES[case], *rest) for case, (_, *rest) in CASES.items()}


def columns(frame: Any, **said: Any) -> list[Column]:
    return chosen.columns(frame, {name: {"kind": v} if isinstance(v, str) else v for name, v in said.items()})


def test_kinds_are_set_by_hand() -> None:
    frame = pd.DataFrame({"code": some(["1010", "1020", "8010"]), "day": [f"0{i % 9 + 1}/02/2020" for i in range(N)]})
    assert [c.kind for c in columns(frame)] == ["category", "date"]
    assert columns(frame, code="number")[0].type == "int"
    codes, day = columns(frame, code="category", day={"kind": "date", "form": "%m/%d/%Y"})
    assert (codes.kind, codes.type, codes.doubt) == ("category", "int", "")
    assert (day.form, day.doubt) == ("%m/%d/%Y", "")
    assert [c.name for c in columns(frame, code="skip")] == ["day"]
    assert columns(frame, code="id")[0].kind == "id"
    assert columns(frame, day="text")[1].kind == "text"
    ordered = columns(frame, code={"kind": "category", "order": ["8010", "1020", "1010"]})[0]
    assert ordered.fitted(read.values(frame["code"].astype("str"), ordered), 5).parts[0].values == (
        "8010",
        "1020",
        "1010",
    )


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ({"word": "number"}, 'The column word cannot be a number: row 1 holds "red"'),
        ({"word": "date"}, "The column word cannot be a date: row 1 holds"),
        ({"word": "constant"}, "cannot be constant: it has 2 different values"),
        ({"gone": "number"}, "There is no column 'gone'."),
        ({"empty": "number"}, "The column empty cannot be a number: no row has a value."),
        ({"number": {"kind": "number", "type": "clock"}}, "cannot be of type clock"),
        ({"word": {"kind": "number", "form": "12"}}, "'12' is not a form of a number"),
    ],
)
def test_a_kind_that_cannot_be_is_refused(said: dict[str, Any], sentence: str) -> None:
    frame = pd.DataFrame(
        {"word": pd.Series(["red", "blue"] * 30, dtype="str"), "number": range(60), "empty": [None] * 60}
    )
    with pytest.raises(UserError) as caught:
        columns(frame, **said)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("form", [*forms.DATES, *forms.CLOCKS])
def test_a_form_that_most_texts_have_is_tried(form: str) -> None:
    texts = pd.Series(pd.date_range("2024-11-21 13:14:15", periods=20, freq="37h", tz="Asia/Kolkata")).dt.strftime(form)
    texts[:2] = "-/.:,"  # a tenth are none
    assert forms._can_fit(form, forms._marks(texts))
