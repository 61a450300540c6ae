"""What is said about settings that change nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from ganvas import api
from ganvas.training.experiment import Experiment

OWN = "def loss(real, fake):\n    return real.mean(), fake.mean()\n"


def said(experiment: Experiment) -> list[str]:
    return experiment.kind.remarks(experiment)


@pytest.mark.parametrize("recipe", ["denoise", "denoise-sound"])
def test_a_loss_without_a_discriminator(recipe: str, tmp_path: Path) -> None:
    tail = "nothing: with lively=0 no discriminator is trained; lively=0.1 trains one."
    assert said(api.experiment(recipe, tmp_path, {})) == []
    assert said(api.experiment(recipe, tmp_path, {"loss": "hinge"})) == [f"loss=hinge changes {tail}"]
    assert said(api.experiment(recipe, tmp_path, {"loss": "hinge", "lively": "0.1"})) == []
    both = api.experiment(recipe, tmp_path, {"loss": "hinge", "freeze": "1", "from": "a-model"})
    assert said(both) == [f"loss=hinge and freeze=1 change {tail}"]


def test_a_loss_of_ones_own_is_named_as_it_was_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my.py").write_text(OWN)
    (remark,) = said(api.experiment("denoise", tmp_path, {"loss": "my.py:loss"}))
    assert remark.startswith("loss=my.py:loss changes nothing")


def test_settings_of_other_tables(tmp_path: Path) -> None:
    def remarks(name: str, **settings: str) -> list[str]:
        return said(api.experiment("table", name, settings))

    assert remarks("t.csv", encoding="cp1252", delimiter=";") == []
    assert remarks("t.csv", delta="1e-6", copied="a") == [
        "delta changes nothing here: it belongs to privacy=.",
        "copied changes nothing here: the tables of a database have that.",
    ]
    assert remarks("t.parquet", encoding="cp1252", delimiter=";") == [
        "encoding and delimiter change nothing here: CSV files have that."
    ]
    assert remarks("sqlite:///shop.db", copied="a", **{"parent.orders": "customer"}) == []
    assert remarks("t.csv", **{"parent.orders": "customer"}) == [
        "parent.TABLE=COLUMN changes nothing here: the tables of a database have that."
    ]
