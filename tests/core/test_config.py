"""Settings: text to value, ranges, JSON there and back, differences."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ganvas.api import RECIPES
from ganvas.core import config as cf
from ganvas.core.config import knob
from ganvas.core.errors import UserError, unknown
from ganvas.training.experiment import SECTIONS, Experiment


@dataclass(frozen=True)
class Kettle:
    """One setting of each type."""

    litres: float = knob(1.5, "how much", low=0, high=3)
    minutes: int = knob(4, "how long", low=1)
    keep_warm: bool = knob(False, "stay on")
    tea: str = knob("green", "which", choices=("green", "black"))
    stops: tuple[int, ...] = knob((), "when to look", low=1, high=60)


# -------------------- text to value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2M", 2e6),
        ("2m", 2e6),
        ("150k", 150e3),
        ("1.5K", 1500),
        ("60_000", 60_000),
        ("2e-4", 2e-4),
        (" 7 ", 7),
        ("-3", -3),
        ("-2k", -2000),
        (".5", 0.5),
    ],
)
def test_number(text: str, value: float) -> None:
    assert float(cf.number(text)) == value


@pytest.mark.parametrize("text", ["", " ", "k", "M", "nan", "inf", "-inf", "infk", "1e999", "ten", "1,5", "2G", "0x10"])
def test_not_a_number(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        cf.number(text)


@pytest.mark.parametrize(
    ("text", "kind", "value"),
    [
        ("2M", int, 2_000_000),
        ("150k", int, 150_000),
        ("60_000", int, 60_000),
        ("1e5", int, 100_000),
        ("-3", int, -3),
        ("2e-4", float, 2e-4),
        ("3", float, 3.0),
        ("true", bool, True),
        ("Yes", bool, True),
        ("1", bool, True),
        ("FALSE", bool, False),
        ("no", bool, False),
        ("0", bool, False),
        ("a b=c", str, "a b=c"),
        ("", str, ""),
        ("1k,2k, 4000", tuple[int, ...], (1000, 2000, 4000)),
        ("5", tuple[int, ...], (5,)),
        ("", tuple[int, ...], ()),
    ],
)
def test_parse(text: str, kind: Any, value: object) -> None:
    result = cf.parse(text, kind, "x")
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    ("text", "kind", "wanted"),
    [
        ("1.5", int, "whole number"),
        ("nan", int, "whole number"),
        ("inf", int, "whole number"),
        ("many", int, "whole number"),
        ("", int, "whole number"),
        ("nan", float, "a number"),
        ("-inf", float, "a number"),
        ("1e999", float, "a number"),
        ("fast", float, "a number"),
        ("perhaps", bool, "true or false"),
        ("2", bool, "true or false"),
        ("1,two", tuple[int, ...], "whole number"),
        ("1.5,2", tuple[int, ...], "whole number"),
    ],
)
def test_parse_refuses(text: str, kind: Any, wanted: str) -> None:
    with pytest.raises(UserError, match=wanted) as caught:
        cf.parse(text, kind, "speed")
    assert "speed" in str(caught.value)


@given(st.integers(-(2**53), 2**53))
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_every_whole_number_is_read(n: int) -> None:
    assert cf.parse(str(n), int, "x") == n
    assert cf.parse(f"{n:_}", int, "x") == n
    assert cf.parse(str(n), float, "x") == float(n)


@pytest.mark.parametrize("n", [2**53 + 1, 2**63 - 1])
def test_large_whole_numbers_are_exact(n: int) -> None:
    assert cf.parse(str(n), int, "seed") == n


@pytest.mark.parametrize(("text", "value"), [("1.001k", 1001), ("2.01M", 2_010_000), ("4.03M", 4_030_000)])
def test_decimals_before_a_suffix(text: str, value: int) -> None:
    assert cf.parse(text, int, "images") == value


@given(st.text("0159.eEkKmM_+-, naifrulseINF²٣", max_size=8))
@settings(max_examples=200, deadline=None, database=None, derandomize=True)
def test_no_text_breaks_parse(text: str) -> None:
    for kind in (int, float, bool, tuple[int, ...]):
        try:
            value = cf.parse(text, kind, "x")
        except UserError:
            continue
        assert isinstance(value, kind if isinstance(kind, type) else tuple)


# -------------------- check, from_dict


@pytest.mark.parametrize(
    "good",
    [
        {},
        {"litres": 0},
        {"litres": 3},
        {"minutes": 10**9},
        {"keep_warm": True},
        {"tea": "black"},
        {"stops": (1, 60)},
    ],
)
def test_check_passes(good: dict[str, Any]) -> None:
    cf.check(Kettle(**good))
    assert cf.from_dict(Kettle, good, "kettle") == Kettle(**good)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        ({"litres": 3.01}, r"litres=3\.01 is out of range: it must be between 0 and 3"),
        ({"litres": -0.1}, r"litres=-0\.1 is out of range"),
        ({"minutes": 0}, r"minutes=0 is out of range: it must be at least 1"),
        ({"stops": (5, 61)}, r"stops=61 is out of range"),
        ({"litres": math.nan}, "litres=nan is not of type float"),
        ({"litres": math.inf}, "litres=inf is not of type float"),
        ({"litres": "1"}, "litres='1' is not of type float"),
        ({"litres": True}, "litres=True is not of type float"),
        ({"litres": None}, "litres=None is not of type float"),
        ({"minutes": 4.0}, r"minutes=4\.0 is not of type int"),
        ({"minutes": True}, "minutes=True is not of type int"),
        ({"keep_warm": 1}, "keep_warm=1 is not of type bool"),
        ({"tea": 3}, "tea=3 is not of type str"),
        ({"tea": "grene"}, "'grene'.*Did you mean 'green'"),
        ({"stops": 5}, "stops=5 is not of type"),
        ({"stops": (1.5,)}, "stops="),
        ({"stops": "5"}, "stops='5' is not of type"),
    ],
)
def test_check_refuses(bad: dict[str, Any], says: str) -> None:
    with pytest.raises(UserError, match=says):
        cf.check(Kettle(**bad))
    with pytest.raises(UserError, match=says):
        cf.from_dict(Kettle, bad, "kettle")


def test_a_whole_number_beyond_all_floats() -> None:
    with pytest.raises(UserError):
        cf.from_dict(Kettle, {"litres": 10**400}, "kettle")


def test_from_dict_keeps_defaults_and_makes_tuples() -> None:
    assert cf.from_dict(Kettle, {"stops": [1, 2]}, "kettle") == Kettle(stops=(1, 2))


def test_from_dict_names_what_it_does_not_know() -> None:
    with pytest.raises(
        UserError, match=r"setting in kettle 'minuts'.*Did you mean 'minutes'.*Valid: keep_warm, litres"
    ):
        cf.from_dict(Kettle, {"minuts": 4}, "kettle")


def test_from_dict_names_what_is_missing() -> None:
    @dataclass(frozen=True)
    class Cup:
        size: int

    with pytest.raises(UserError, match=r"cup lacks a setting.*size"):
        cf.from_dict(Cup, {}, "cup")


def test_unknown_without_a_near_name() -> None:
    text = str(unknown("recipe", "zzz", ["b", "a"]))
    assert text == "There is no recipe 'zzz'. Valid: a, b."


def test_unknown_among_many_lists_what_is_similar() -> None:
    valid = [f"column_{n}" for n in range(40)] + ["age"]
    text = str(unknown("column", "colum_7", valid))
    assert text.startswith("There is no column 'colum_7'. Did you mean 'column_7'? Valid: column_7, column_")
    assert text.endswith(", ... (41 in all).")
    assert text.count("column_") == 7
    assert "Similar: " in str(unknown("column", "colum_7", valid, "See them with X."))
    assert str(unknown("column", "zzz", valid, "See them with X.")) == "There is no column 'zzz'. See them with X."


def test_differences() -> None:
    old = {"a": 1, "b": {"c": 2, "d": [1]}, "gone": 5}
    new = {"a": 1, "b": {"c": 3, "d": [1, 2]}, "fresh": {"x": 1}}
    assert cf.differences(old, old) == {}
    assert cf.differences(old, new) == {
        "b.c": (2, 3),
        "b.d": ([1], [1, 2]),
        "gone": (5, None),
        "fresh": (None, {"x": 1}),
    }


# -------------------- experiment


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_experiment_survives_json(recipe: str) -> None:
    experiment = RECIPES[recipe]()
    text = json.dumps(experiment.to_dict())
    assert Experiment.from_dict(json.loads(text)) == experiment
    assert experiment.recipe == recipe


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_setting_has_one_home_and_a_help_text(recipe: str) -> None:
    experiment = RECIPES[recipe]()
    fields = [f for name in SECTIONS for f in dataclasses.fields(getattr(experiment, name))]
    assert [name for name, n in Counter(f.name for f in fields).items() if n > 1] == []
    assert [f.name for f in fields if not f.metadata.get("help")] == []
    assert "name" not in {f.name for f in fields}  # the network's own entry in the JSON form


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_settings_of_a_recipe_are_valid(recipe: str) -> None:
    experiment = RECIPES[recipe]()
    for name in SECTIONS:
        cf.check(getattr(experiment, name))


@pytest.mark.parametrize("recipe", RECIPES)
def test_every_setting_can_be_written_as_text(recipe: str) -> None:
    experiment = RECIPES[recipe]()
    texts = {}
    for name in SECTIONS:
        for key, value in dataclasses.asdict(getattr(experiment, name)).items():
            texts[key] = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    assert experiment.override(texts) == experiment


def test_override() -> None:
    base = RECIPES["mnist"]()
    texts = {"images": "2M", "lr_g": "5e-4", "labels": "no", "sample_at": "1k,2k", "loss": "hinge", "seed": "1"}
    changed = base.override(texts)
    assert changed.training.images == 2_000_000
    assert changed.training.lr_g == 5e-4
    assert changed.training.seed == 1
    assert changed.training.sample_at == (1000, 2000)
    assert changed.data.labels is False
    assert changed.task.loss == "hinge"
    assert changed.network == base.network
    assert cf.differences(base.to_dict(), changed.to_dict()).keys() <= {
        "training.images",
        "training.lr_g",
        "training.seed",
        "training.sample_at",
        "data.labels",
        "task.loss",
    }
    assert base == RECIPES["mnist"]()


@pytest.mark.parametrize(
    ("key", "text", "says"),
    [
        ("image", "2M", "no setting 'image'.*Did you mean 'images'"),
        ("zzzz", "1", r"no setting 'zzzz'\. --dry-run explains all \d+ settings\.$"),
        ("from_x", "1", "Did you mean 'from'"),
        ("images", "lots", "images=lots: 'lots' is not a whole number"),
        ("images", "0", "images=0 is out of range: it must be at least 1"),
        ("batch", "1", "batch=1 is out of range"),
        ("beta1", "1", "beta1=1.0 is out of range"),
        ("lr_g", "nan", "lr_g=nan"),
        ("labels", "maybe", "labels=maybe: 'maybe' is not true or false"),
        ("loss", "hinged", "'hinged'.*Did you mean 'hinge'"),
        ("sample_at", "0", "sample_at=0 is out of range"),
        ("device", "tpu", "'tpu'.*Valid: auto, cpu, cuda, mps"),
    ],
)
def test_override_refuses(key: str, text: str, says: str) -> None:
    with pytest.raises(UserError, match=says):
        RECIPES["mnist"]().override({key: text})


def test_an_unknown_network_is_named() -> None:
    card = RECIPES["mnist"]().to_dict()
    card["network"]["name"] = "classic-dcgam"
    with pytest.raises(UserError, match=r"'classic-dcgam'.*Did you mean 'classic-dcgan'"):
        Experiment.from_dict(card)


def test_an_unknown_setting_in_a_file_is_named() -> None:
    card = RECIPES["mnist"]().to_dict()
    card["training"]["btach"] = 3
    with pytest.raises(UserError, match=r"setting in training 'btach'.*Did you mean 'batch'"):
        Experiment.from_dict(card)


def test_an_experiment_file_that_is_not_json(tmp_path: Any) -> None:
    (tmp_path / "experiment.json").write_text('{"recipe": ')
    with pytest.raises(UserError, match=r"experiment\.json is damaged"):
        Experiment.load(tmp_path)
    with pytest.raises(UserError, match=r"no experiment.json"):
        Experiment.load(tmp_path / "elsewhere")


@pytest.mark.parametrize(
    "content",
    [b"[]", b"3", b"\xff\xfe", b'{"network": 3}', b'{"network": {"name": []}}', b'{"network": null}'],
)
def test_an_experiment_file_of_another_shape(tmp_path: Any, content: bytes) -> None:
    (tmp_path / "experiment.json").write_bytes(content)
    with pytest.raises(UserError, match=r"experiment\.json"):
        Experiment.load(tmp_path)
