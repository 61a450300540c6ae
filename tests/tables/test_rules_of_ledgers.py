"""Rules as ledgers and surveys have them: periods of dates, taxes in percent, questions that are skipped."""

# ruff: noqa: E402  # pandas is an extra
# pandas types most of its results as several things that they are not here:
# pyright: reportAttributeAccessIssue=false, reportArgumentType=false

from __future__ import annotations

import numpy as np
import pytest

pd = pytest.importorskip("pandas", reason="needs the extra `tables`")

import torch

from ganvas.core.errors import UserError
from ganvas.tables import read
from ganvas.tables.recognise import recognise
from ganvas.tables.rules import limits
from ganvas.tables.rules.assemble import assemble
from ganvas.tables.rules.find import find
from ganvas.tables.rules.text import parse, rules_of
from ganvas.tables.spec import TableSpec


def found(frame):  # noqa: ANN001, ANN201
    """Its columns and the rules found in it, by their texts."""
    columns = [recognise(frame[name]) for name in frame]
    typed = read.typed(frame, columns)
    return {c.name: c for c in columns}, typed, {r.text: r for r in find(typed, columns).rules}


def test_the_period_of_a_date() -> None:
    rng = np.random.default_rng(0)
    posted = pd.Timestamp("2023-01-01") + pd.to_timedelta(rng.integers(0, 700, 2_000), unit="D")
    frame = pd.DataFrame(
        {
            "posted": posted.strftime("%d.%m.%Y"),
            "period": posted.strftime("%Y-%m"),
            "month": posted.year * 100 + posted.month,
        }
    )
    columns, typed, rules = found(frame)
    assert {*rules} == {"period = start of month of posted", "month = year and month of posted"}
    assert rules["period = start of month of posted"].words() == "period is always the start of the month of posted."
    for text, rule in rules.items():
        assert parse(text, list(frame)) == rule == rules_of([rule.to_dict()])[0]
        drawn = {"posted": typed["posted"]}
        rule.decode(drawn, columns)
        assert (drawn[rule.target].to_numpy() == typed[rule.target].to_numpy()).all()


def test_a_tax_in_percent_with_two_rates() -> None:
    rng = np.random.default_rng(1)
    net, rate = np.round(rng.lognormal(4, 1, 2_000), 2), rng.choice([7, 19], 2_000)
    tax = np.round(net * rate / 100, 2)
    frame = pd.DataFrame({"net": net, "rate": rate, "tax": tax, "gross": np.round(net + tax, 2)})
    columns, typed, rules = found(frame)
    (text,) = [t for t in rules if "*" in t]
    assert parse(text, list(frame)) == rules[text]
    assert rules[text].target == "tax"
    assert "gross = net + tax" in rules
    assert rules[text].broken(typed, columns) == 0


def survey(rows: int = 3_000):  # noqa: ANN201
    rng = np.random.default_rng(2)
    q1, q2, q3, q4 = rng.integers(1, 6, (4, rows))
    has = rng.random(rows) < 0.4
    dogs = np.where(has, rng.integers(1, 4, rows), 0)
    forgot = rng.random((2, rows)) < 0.05
    return pd.DataFrame(
        {
            "q1": q1,
            "pet": pd.Series(np.where(has, "yes", "no")).mask(rng.random(rows) < 0.02),
            "name": pd.Series([f"n{v}" for v in q2]).where(has & ~forgot[0]),
            "age": pd.Series(q3, dtype="Int64").where(has & ~forgot[1]),
            "dogs": dogs,
            "walks": pd.Series([f"w{v}" for v in q4]).where(dogs > 0),
        }
    )


def test_what_is_skipped_always_and_elsewhere_at_times() -> None:
    columns, typed, rules = found(survey())
    skipped = {t for t in rules if "missing" in t}
    assert skipped == {"walks missing where dogs is 0", "name missing if dogs is 0", "age missing if dogs is 0"}
    rule = rules["name missing if dogs is 0"]
    assert rule.words() == "name is always missing where dogs is 0."
    assert parse(rule.text, list(typed)) == rule == rules_of([rule.to_dict()])[0]
    broken = typed.assign(name="n1")
    assert rule.broken(broken, columns) == (typed["dogs"] == 0).sum()
    with pytest.raises(UserError, match="cannot be read"):
        parse("name missing if dogs has a value", list(typed))


@pytest.mark.parametrize("first", [False, True])
def test_no_row_is_drawn_against_it(first: bool) -> None:
    """Each token by chance, leader first or last: no row breaks a rule, and all that keeps them comes."""
    frame = survey().drop(columns=["pet", "q1"])
    frame = frame[["dogs", "name", "age", "walks"]] if first else frame[["name", "age", "walks", "dogs"]]
    columns, typed, rules = found(frame)
    fitted = tuple(c.fitted(typed[n], 5) for n, c in columns.items())
    spec = TableSpec(fitted)
    spec = TableSpec(fitted, assemble(list(rules.values()), spec.by_name, typed, 5))
    assert len(spec.rules) == 3
    count, maker = 4_000, torch.Generator().manual_seed(0)
    rows = torch.zeros(count, len(spec.sizes), dtype=torch.int64)
    walk = limits.RuleLimits.of(spec).start(rows, None)
    for place, size in enumerate(spec.sizes):
        allowed = walk.allowed(place, size)
        chance = torch.rand(count, size, generator=maker)
        chance = chance if allowed is None else chance * allowed
        rows[:, place] = chance.argmax(1)
        walk.drawn(place, rows[:, place])
    drawn = pd.DataFrame(spec.decode(rows, torch.rand(rows.shape, generator=maker)))
    assert sum(rule.broken(drawn, spec.by_name) for rule in spec.rules) == 0
    for name in ("name", "age"):
        there = drawn["dogs"] > 0
        assert 0 < drawn[name][there].isna().sum() < there.sum()
        assert drawn[name][~there].isna().all()
