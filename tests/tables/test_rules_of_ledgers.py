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


def found(frame):
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
    assert rules[text].fitted(typed, columns, 5).broken(typed, columns) == 0


def survey(rows: int = 3_000):
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
    assert skipped == {"walks missing where dogs is `0`", "name missing if dogs is `0`", "age missing if dogs is `0`"}
    rule = rules["name missing if dogs is `0`"]
    assert rule.words() == "name is always missing where dogs is 0."
    assert parse(rule.text, list(typed)) == rule == rules_of([rule.to_dict()])[0]
    broken = typed.assign(name="n1")
    assert rule.broken(broken, columns) == (typed["dogs"] == 0).sum()
    with pytest.raises(UserError, match="cannot be read"):
        parse("name missing if dogs has a value", list(typed))


def by_chance(spec: TableSpec, count: int = 4_000):
    """Rows of which each token is drawn by chance from those that the rules allow."""
    maker = torch.Generator().manual_seed(0)
    rows = torch.zeros(count, len(spec.sizes), dtype=torch.int64)
    parts = {spec.places[c.name].start: c.parts[0] for c in spec.learned}
    walk = limits.RuleLimits.of(spec).start(rows, None)
    for place, size in enumerate(spec.sizes):
        allowed = walk.allowed(place, size)
        chance = torch.rand(count, size, generator=maker)
        chance = chance if allowed is None else chance * allowed
        if parts[place].is_category:
            chance[:, parts[place].cell_of("rare")] *= 1e-9  # the networks draw it as seldom
        rows[:, place] = chance.argmax(1)
        walk.drawn(place, rows[:, place])
    return pd.DataFrame(spec.decode(rows, torch.rand(rows.shape, generator=maker)))


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
    drawn = by_chance(spec)
    assert sum(rule.broken(drawn, spec.by_name) for rule in spec.rules) == 0
    for name in ("name", "age"):
        there = drawn["dogs"] > 0
        assert 0 < drawn[name][there].isna().sum() < there.sum()
        assert drawn[name][~there].isna().all()


def kept(frame, texts: list[str]) -> None:
    """Rows drawn by chance keep these rules, and every combination of gaps that keeps them comes."""
    columns, typed, _ = found(frame)
    fitted = tuple(c.fitted(typed[n], 5) for n, c in columns.items())
    by_name = TableSpec(fitted).by_name
    spec = TableSpec(fitted, assemble([parse(text, list(frame)) for text in texts], by_name, typed, 5))
    assert [rule.text for rule in spec.rules] == texts
    drawn = by_chance(spec)
    assert {rule.text: rule.broken(drawn, spec.by_name) for rule in spec.rules} == dict.fromkeys(texts, 0)
    assert {*map(tuple, drawn.isna().to_numpy())} == {*map(tuple, typed.isna().to_numpy())}


def test_gaps_of_columns_that_occur_together_fit_those_of_others() -> None:
    """A class that was not seen has no school, and two of its levels no teacher."""
    rng = np.random.default_rng(3)
    school = rng.integers(0, 4, 3_000)
    level = np.where(school == 0, rng.integers(3, 5, 3_000), school - 1)
    frame = pd.DataFrame(
        {
            "seen": pd.Series([f"s{v}" for v in rng.integers(0, 3, 3_000)]).where(school > 0),
            "degree": pd.Series([f"d{v}" for v in rng.integers(0, 3, 3_000)]).where(level < 4),
            "level": [f"l{v}" for v in level],
            "years": pd.Series([f"y{v}" for v in level]).where(level < 4),
            "school": pd.Series([f"k{v}" for v in school]).where(school > 0),
        }
    )
    texts = ["level, years, school occur together", "seen, school missing together", "degree, years missing together"]
    kept(frame, texts)
    kept(frame[["school", "degree", "years", "seen", "level"]], texts)


def test_gaps_that_one_column_says_fit_each_other() -> None:
    rng = np.random.default_rng(4)
    kind = rng.integers(0, 4, 3_000)
    values = [pd.Series([f"{n}{v}" for v in rng.integers(0, 3, 3_000)]) for n in "abc"]
    frame = pd.DataFrame(
        {
            "first": values[0].where(kind != 0),
            "firm": values[1].where(kind != 1),
            "state": values[2].where((kind > 1) & (rng.random(3_000) < 0.5)),
            "kind": np.array(["firm", "person", "office", "other"])[kind],
        }
    )
    texts = ["first missing where kind is firm", "firm missing where kind is person"]
    kept(frame, [*texts, "state missing if kind is firm, person"])
