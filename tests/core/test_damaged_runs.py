"""A run's folder with damage in it: what is damaged is passed over, counted and said; the rest is used."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from pathlib import Path

import pytest
from conftest import quick

from ganvas.core import run
from ganvas.core.errors import UserError
from ganvas.core.rows import moment, stamp
from ganvas.core.run import Run
from ganvas.metrics import figures
from ganvas.report import page as report
from ganvas.training import loop
from ganvas.training.events import Logged, Sampled, Warned
from ganvas.training.experiment import Experiment

pytestmark = pytest.mark.long

DEEP = '{"images":' * 100_000
ODD = [  # lines in place of a good one
    '{"imagez": 48, "loss_d": 1.0}',
    '{"images": NaN, "loss_d": 1.0}',
    '{"images": "48"}',
    '{"images": true}',
    '{"images": -48}',
    '{"images": [48]}',
    '{"images": {"images": 48}}',
    '{"images": 1' + "0" * 400 + "}",
    '{"images": 48',
    "[48]",
    "nothing",
    "\x00\x1b[31m",
    DEEP,
    '{"images": 48, "more": "' + "x" * (run.LINE + 5) + '"}',
]
STRANGE = [  # rows that count: only an entry of theirs is odd
    '{"images": 48, "loss_d": NaN, "loss_g": Infinity, "epoch": [], "seconds": "x"}',
    '{"images": 48, "loss_d": 1e999, "loss_g": 1e300, "d_real": {"a": [[]]}, "images_per_second": -1e99}',
    '{"images": 48, "loss_d": 1' + "0" * 99 + ', "accuracy_real": true}',
    '{"images": 9e18, "loss_d": 5e-324}',
]


@pytest.fixture(scope="module")
def made(blobs: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short training that is complete."""
    folder = tmp_path_factory.mktemp("damaged") / "run"
    for _ in small(blobs).run(folder):
        pass
    return folder


def small(blobs: Path, images: int = 160) -> Experiment:
    experiment = quick("mnist", blobs)
    experiment = dataclasses.replace(experiment, task=dataclasses.replace(experiment.task, detect=0))
    return dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, images=images))


def figure(**changed: object) -> dict[str, object]:
    """A line of metrics.jsonl as an evaluation writes it."""
    protocol = {"extractor": "pixels", "mark": "m", "count": 100, "split": "held-out", "seed": 0, "repeats": 1}
    protocol |= {"labels": "none", "data": "blobs", "fingerprint": "f", "form": "8 bits, lossless", "version": 1}
    row = {"metric": "frechet", "title": "Frechet distance", "value": 2.0, "spread": None, "floor": 1.0}
    row |= {"floor_spread": 0.1, "better": "lower", "share": False, "protocol": protocol, "images": 160, "note": ""}
    return row | changed


# -------------------- damaged lines


@pytest.mark.parametrize("line", ODD, ids=range(len(ODD)))
def test_a_damaged_line_is_passed_over_and_counted(line: str, tmp_path: Path) -> None:
    saved = Run(tmp_path)
    good = [{"images": 16 * i, "loss_d": 1.0} for i in range(1, 4)]
    text = "\n".join([json.dumps(good[0]), line, *map(json.dumps, good[1:])]) + "\n"
    for path in (saved.log, saved.metrics):
        path.write_text(text)
    assert saved.rows() == saved.rows(saved.metrics) == good
    assert saved.last_row() == good[-1]
    assert saved.remarks() == [f"{name}.jsonl: 1 damaged line skipped." for name in ("log", "metrics")]
    saved.rewind(32)
    assert saved.rows() == good[:2]
    assert saved.log.read_text().split("\n")[1] == line, "what cannot be read is left as it is"


def test_a_line_that_was_half_written_in_a_crash_is_no_damage(tmp_path: Path) -> None:
    saved = Run(tmp_path)
    saved.log.write_text('{"images": 16}\n{"images": 32, "lo')
    assert saved.rows() == [{"images": 16}]
    assert saved.remarks() == []
    saved.rewind(16)
    assert saved.log.read_text() == '{"images": 16}\n'


def test_only_the_end_of_a_long_log_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "TAIL", 100)
    saved = Run(tmp_path)
    saved.log.write_text("".join(json.dumps({"images": i}) + "\n" for i in range(1000, 1020)))  # 16 + 1 bytes each
    assert [row["images"] for row in saved.rows()] == list(range(1015, 1020))
    assert saved.remarks() == ["log.jsonl: only the last 100 of its 340 bytes are read."]
    saved.rewind(1002)
    assert saved.log.read_text() == '{"images": 1000}\n{"images": 1001}\n{"images": 1002}\n'


def test_a_log_that_is_no_file_is_none(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "log.jsonl")  # opening it would wait for a writer
    (tmp_path / "metrics.jsonl").mkdir()
    assert Run(tmp_path).rows() == Run(tmp_path).figures() == []


def test_a_run_with_damaged_lines_goes_on_and_says_so(made: Path, blobs: Path, tmp_path: Path) -> None:
    shutil.copytree(made, tmp_path / "run")
    saved = Run(tmp_path / "run")
    before = saved.rows()
    lines = saved.log.read_text().splitlines()
    lines[0] = lines[0].replace('"images"', '"imagez"')
    for path in (saved.log, saved.metrics):
        path.write_text(
            "\n".join([*(lines if path == saved.log else path.read_text().splitlines()), *ODD, *STRANGE]) + "\n"
        )
    events = list(small(blobs, images=240).run(tmp_path / "run"))
    warnings = [event.text for event in events if isinstance(event, Warned)]
    assert warnings == [
        f"log.jsonl: {len(ODD) + 1} damaged lines skipped.",
        f"metrics.jsonl: {len(ODD)} damaged lines skipped.",
    ]
    assert [row["images"] for row in saved.rows() if "epoch" in row and row["images"] != 48][-1] == 240
    page = saved.report.read_text()
    assert all(sentence in page for sentence in warnings)
    assert before[0]["images"] == 48


@pytest.mark.parametrize("recipe", ["mnist", "denoise", "translate"])
def test_a_report_of_odd_rows(recipe: str, tmp_path: Path) -> None:
    """Every entry of every row in turn is something else."""
    saved, card = Run(tmp_path), quick(recipe, tmp_path / "data").to_dict()
    saved.experiment.write_text(json.dumps(card))
    restored = {"images": 1, "metric": "restoration", "n": 5, "size": 8, "answers": [{"name": "x", "psnr": 1.0}]}
    translated = {"images": 1, "metric": "translation", "n": [5, 6], "ways": [{"name": "x", "to": "b", "cycle": 1.0}]}
    log = {"images": 10, "epoch": 0.1, "loss_d": 1.0, "loss_g": 2.0, "accuracy_real": 0.5, "accuracy_fake": 0.5}
    check = {"images": 10, "metric": "discriminator-accuracy", "diversity": 0.5, "copied": 0.0}
    near = [{"images": 10, "metric": "fidelity", "psnr": 20.0}, {"images": 10, "metric": "round-trip", "cycle_a": 9.0}]
    for odd in (None, "x", -1, 1e300, 10**99, float("nan"), [], [[1]], {"a": {}}, True):
        rows = [{**log, key: odd} for key in log] * 3
        saved.log.write_text("".join(json.dumps(row) + "\n" for row in rows))
        rows = [{**row, key: odd} for row in (restored, translated, check, *near, figure()) for key in row]
        protocol = figure()["protocol"]
        assert isinstance(protocol, dict)
        rows += [figure(), *(figure(protocol={**protocol, key: odd}) for key in protocol), figure(more=1)]
        saved.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
        report.write(saved)
        figures.figures_of(tmp_path)
    assert "damaged lines skipped" in saved.report.read_text()


def test_a_figure_that_is_none_is_counted(tmp_path: Path) -> None:
    saved = Run(tmp_path)
    protocol = figure()["protocol"]
    assert isinstance(protocol, dict)
    rows = [figure(), figure(value="2"), figure(protocol={**protocol, "count": "many"}), figure(title=None)]
    saved.metrics.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert [f.value for f in figures.figures_of(tmp_path)] == [2.0]
    assert saved.remarks() == ["metrics.jsonl: 3 damaged lines skipped."]


# -------------------- the same after a resume


def test_the_keys_of_a_line_keep_their_order(blobs: Path, tmp_path: Path) -> None:
    """The running means come back from a snapshot, whose tensors lie in the order of their names."""
    keys = []
    for name, stops in (("whole", 0), ("parts", 7)):
        for _, event in zip(range(stops), small(blobs).run(tmp_path / name), strict=False):
            assert event
        rows = [event.row for event in small(blobs).run(tmp_path / name) if isinstance(event, Logged)]
        keys.append([list(row) for row in rows])
    assert keys[0][-1] == keys[1][-1]
    assert [list(row) for row in Run(tmp_path / "parts").rows()] == keys[0]


# -------------------- names of sheets


def test_stamps_are_understood() -> None:
    for images, alone, text in ((10_016, True, "000010"), (10_016, False, "000010016"), (80, False, "000000080")):
        assert stamp(images, alone) == text
        assert moment(Path(f"fakes_{text}.png")) == (images // 1000 * 1000 if alone else images)
        assert moment(Path(f"model_{text}.safetensors")) == moment(Path(f"fakes_{text}.png"))
    assert stamp(2_345_678_901, False) == "2345678901"
    for name in ("fakes_init.png", "fakes_000010 (1).png", "reals.png", "model.safetensors", "fakes_.png"):
        assert moment(Path(name)) is None


def test_sheets_that_come_often_stay_apart(blobs: Path, tmp_path: Path) -> None:
    """Pictures at 80, 160 and 240 images, after a stop at 144 and an end at 160: each is kept, and drawn only once."""
    experiment = small(blobs)
    experiment = dataclasses.replace(experiment, training=dataclasses.replace(experiment.training, keep_models=True))
    drawn: list[Path] = []
    for i, images in enumerate((160, 160, 240)):
        config = dataclasses.replace(experiment.training, images=images)
        for event in dataclasses.replace(experiment, training=config).run(tmp_path / "run"):
            drawn += [event.path] if isinstance(event, Sampled) else []
            if i == 0 and event.images == 144:
                break
    saved = Run(tmp_path / "run")
    names = ["fakes_init.png", "fakes_000000.png", "fakes_000000160.png", "fakes_000000240.png"]
    assert [path.name for path in drawn] == names
    assert [(seen, path.name) for seen, path in saved.previews()] == list(zip((0, 0, 160, 240), names, strict=True))
    models = ["model_000000.safetensors", "model_000000160.safetensors", "model_000000240.safetensors"]
    assert sorted(path.name for path in saved.models.iterdir()) == models
    saved.rewind(200)
    assert [path.name for _, path in saved.previews()] == names[:3]
    assert sorted(path.name for path in saved.models.iterdir()) == models[:2]


def test_sheets_of_usual_runs_are_named_by_thousands() -> None:
    config = dataclasses.replace(quick("mnist", Path("x")).training, batch=32, sample_every=10_000, sample_at=(1_000,))
    assert loop.first_in_thousand(config, 1_024)
    assert loop.first_in_thousand(config, 10_016)
    assert not loop.first_in_thousand(config, 10_500), "an end that belongs to no beat may come anywhere"
    assert not loop.first_in_thousand(dataclasses.replace(config, sample_at=(10_020,)), 10_048)


def test_the_names_of_old_runs_are_read(tmp_path: Path) -> None:
    saved = Run(tmp_path)
    saved.samples.mkdir()
    for name in ("fakes_000020.png", "fakes_init.png", "fakes_000010.png", "fakes_000010160.png"):
        (saved.samples / name).write_bytes(b"x")
    assert [seen for seen, _ in saved.previews()] == [0, 10_000, 10_160, 20_000]
    saved.rewind(10_000)
    assert [seen for seen, _ in saved.previews()] == [0, 10_000]


# -------------------- experiment.json


@pytest.mark.parametrize(
    "text", ["", "[1]", "{", '"x"', DEEP, '{"images": 1' + "0" * 400 + "}", "\xff", '{"network": {"name": "shuffel"}}']
)
def test_sentences_about_an_experiment_name_its_file(text: str, tmp_path: Path) -> None:
    (tmp_path / "experiment.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError) as caught:
        Experiment.load(tmp_path)
    assert str(tmp_path / "experiment.json") in str(caught.value)
    assert len(str(caught.value)) < 500


@pytest.mark.parametrize("section", ["data", "network", "task", "training"])
@pytest.mark.parametrize("odd", [None, [], "x", 3, {"nothing": 1}, {"name": []}, {"images": 10**30}, {"lr_g": "x"}])
def test_sections_of_an_experiment(section: str, odd: object, tmp_path: Path) -> None:
    card = quick("mnist", tmp_path / "data").to_dict()
    (tmp_path / "experiment.json").write_text(json.dumps({**card, section: odd}))
    with pytest.raises(UserError) as caught:
        Experiment.load(tmp_path)
    assert str(tmp_path / "experiment.json") in str(caught.value)
