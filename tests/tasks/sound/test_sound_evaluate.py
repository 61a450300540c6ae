"""`ganvas evaluate` of sounds: real ones as drawn ones, worse ones, files; the classifier in the cache."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from small_sounds import NAMES, RATE, SAMPLES, Data, sounds
from torch import Tensor

from ganvas.core.errors import UserError
from ganvas.core.progress import last
from ganvas.core.samples import Rows
from ganvas.metrics.figures import Figure
from ganvas.sounds.files import save
from ganvas.sounds.spec import SoundSpec
from ganvas.tasks.sound.evaluate import classifier, command, judge, source
from ganvas.tasks.sound.evaluate import evaluate as evaluation
from ganvas.tasks.sound.evaluate.evaluate import Measured
from ganvas.tasks.sound.evaluate.metrics import METRICS, choose
from ganvas.training.evaluate import Options

DATA = Data(Rows(*sounds(150, 1)), Rows(*sounds(102, 2)))
DRAWN = sounds(102, 3)


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    monkeypatch.setattr(classifier, "LEAST_STEPS", 30)
    monkeypatch.setattr(classifier, "ROUNDS", 1)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.getbasetemp() / "cache of classifiers"))


def measure(
    waves: Tensor, labels: Tensor | None, data: Data = DATA, **options: Any
) -> tuple[dict[str, Figure], Measured]:
    figures, measured = {}, None
    for event in evaluation.of(source.Files(waves, labels), None, data, Options(**options)):
        if isinstance(event, Figure):
            figures[event.metric] = event
        elif isinstance(event, Measured):
            measured = event
    assert measured is not None
    return figures, measured


def test_other_real_sounds_get_about_the_floor() -> None:
    figures, measured = measure(*DRAWN)
    assert list(figures) == list(METRICS)
    assert not [f.title for f in figures.values() if f.note]
    assert figures["class-accuracy"].value > 0.95
    for name in ("frechet", "timbre-frechet"):
        assert figures[name].value < 2 * figures[name].floor
    for name in ("coverage", "timbre-coverage", "clear-pitch", "spread", "timbre-spread"):
        assert figures[name].value == pytest.approx(figures[name].floor, rel=0.2)
    assert figures["near-copies"].value < 0.1
    assert all(figures[name].value == 0 for name in ("silent", "hum", "clipped", "clicks"))
    assert figures["tail-95"].value < -65
    assert [c.count for c in measured.classes] == [34, 34, 34]
    assert (measured.held, measured.trained) == (102, 150)
    text = "\n".join(command.words(measured))
    assert "150 training sounds" in text
    assert "Worst class: " in text
    assert command.protocol(list(figures.values()), measured).startswith("102 sounds (classes: as in the files)")
    assert command.table(measured.classes).row_count == 3
    assert {Figure.from_row(f.row()).metric for f in figures.values()} == set(METRICS)


def test_training_sounds_are_copies() -> None:
    figures, _ = measure(DATA.train.samples[:102].roll(128, 1), DATA.train.labels)
    assert figures["near-copies"].value > 0.9
    assert figures["near-copies"].floor < 0.05


def test_noisy_sounds_are_far_in_timbre_and_hiss() -> None:
    hiss = 1_000 * torch.randn(DRAWN[0].shape, generator=torch.Generator().manual_seed(0))
    figures, _ = measure((DRAWN[0] + hiss).clamp(-32_767, 32_767).to(torch.int16), DRAWN[1])
    assert figures["timbre-frechet"].times_floor > 10
    assert figures["hum"].value > 0.7 > 0.1 > figures["hum"].floor
    assert figures["tail"].note or figures["tail"].value > -60


def test_wrong_classes_are_seen_and_the_worst_is_named() -> None:
    labels = DRAWN[1].clone()
    labels[labels == 1] = 0
    figures, measured = measure(DRAWN[0], labels, metrics="class-accuracy,worst-class")
    assert figures["class-accuracy"].value == pytest.approx(2 / 3, abs=0.05)
    assert figures["worst-class"].value == pytest.approx(1 / 2, abs=0.05)
    assert math.isnan(measured.classes[1].right)
    assert "low, " in "\n".join(command.words(measured))


@pytest.mark.parametrize("what", ["silent", "one"])
def test_sounds_that_are_all_the_same_have_no_distance(what: str) -> None:
    waves = torch.zeros_like(DRAWN[0]) if what == "silent" else DRAWN[0][:1].repeat(102, 1)
    figures, _ = measure(waves, DRAWN[1])
    assert figures["silent"].value == (what == "silent")
    assert "are the same" in figures["frechet"].note
    with pytest.raises(UserError, match="Frechet distance, timbre cannot be measured"):
        measure(waves, DRAWN[1], metrics="timbre-frechet")


def test_without_classes_there_is_timbre() -> None:
    plain = dataclasses.replace(
        DATA,
        train=Rows(DATA.train.samples),
        held_out=Rows(DATA.held_out.samples),
        class_names=(),
        spec=SoundSpec(rate=RATE, samples=SAMPLES),
    )
    figures, measured = measure(DRAWN[0], None, plain)
    assert figures["frechet"].note == "the sounds have no classes"
    assert figures["timbre-frechet"].times_floor < 2
    assert figures["timbre-spread"].value == pytest.approx(1, abs=0.2)
    assert measured.classes == []
    assert math.isnan(measured.reads)


def test_the_classifier_is_kept_and_taught_anew_where_it_is_damaged(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    train = source.shuffled(DATA.train, 0, "train", SAMPLES)
    steps: list[Any] = []
    mark = last(judge.taught(DATA, train, 0), steps.append)[1]
    assert steps
    assert last(judge.taught(DATA, train, 0), lambda _: pytest.fail("it is taught again"))[1] == mark
    place = judge.place(DATA, 150, 0)
    content = bytearray(place.read_bytes())
    content[-1] ^= 1
    place.write_bytes(content)
    assert last(judge.taught(DATA, train, 0))[1] == mark


class Model:
    """Stands in for a `SoundModel`: its sounds follow from the seed."""

    class_names, card = NAMES, {"images": 5}
    path = Path("nowhere")

    def draw_waves(self, seeds: range, classes: list[int] | None) -> Tensor:
        assert classes is not None
        all_, _ = sounds(300, 7)
        return torch.stack([all_[3 * (n % 100) + c] for n, c in zip(seeds, classes, strict=True)]).float() / 32_767


def test_a_model_is_drawn_from_by_seed_and_class(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "into_card", lambda *_: None)
    sampler: Any = source.Sampler(Model(), DATA)  # pyright: ignore[reportArgumentType]
    names = "class-accuracy,timbre-frechet,near-copies"
    events = list(evaluation.of(sampler, None, DATA, Options(metrics=names, count=60, seed=4, repeats=2)))
    figures = [e for e in events if isinstance(e, Figure)]
    assert [f.metric for f in figures] == names.split(",")
    assert {(f.protocol.count, f.protocol.seed, f.protocol.repeats) for f in figures} == {(60, 4, 2)}
    assert figures[0].value > 0.9
    assert not math.isnan(figures[1].spread)
    assert not math.isnan(figures[1].floor_spread)


def test_what_is_asked_for_counts_even_if_it_is_usual_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "into_card", lambda *_: None)
    monkeypatch.setattr(evaluation, "COUNT", 40)
    sampler: Any = source.Sampler(Model(), DATA)  # pyright: ignore[reportArgumentType]

    def protocol(**given: int | None) -> tuple[int, int]:
        events = evaluation.of(sampler, None, DATA, Options.of(metrics="clipped", **given))
        return next((e.protocol.count, e.protocol.repeats) for e in events if isinstance(e, Figure))

    assert protocol(count=None, repeats=None) == (40, 1)
    assert protocol(count=10_000, repeats=3) == (len(DATA.train.samples), 3)


def write(folder: Path, waves: Tensor, labels: Tensor) -> None:
    for i, (wave, label) in enumerate(zip(waves, labels.tolist(), strict=True)):
        save(folder / NAMES[label] / f"{i:03}.wav", wave.numpy() / 32_767, RATE)


def test_a_folder_of_drawn_sounds_is_read_as_it_is(tmp_path: Path) -> None:
    write(tmp_path, DRAWN[0][:6], DRAWN[1][:6])
    save(tmp_path / "low" / "zz.wav", DRAWN[0][0, :900].numpy() / 32_767, RATE)
    (tmp_path / "low" / "broken.wav").write_bytes(b"no sound")
    found = source.read(tmp_path, DATA.spec, NAMES)
    assert len(found.waves) == 7
    assert found.labels is not None
    assert torch.equal(found.labels.bincount(), torch.tensor([3, 2, 2]))
    assert min(int((wave.int() - DRAWN[0][2]).abs().max()) for wave in found.waves) <= 1
    assert "broken.wav is left out" in found.notes[0]
    assert found.notes[-1].startswith("1 files were")
    assert source.read(tmp_path, DATA.spec, ("other",)).labels is None
    with pytest.raises(UserError, match="--data"):
        source.find(tmp_path, None)
    (tmp_path / "labels.csv").write_text("file,label\n000.wav,burst\nzz.wav,nothing\n")
    found = source.read(tmp_path, DATA.spec, NAMES)
    assert found.labels is None
    assert "of 1 sound no table of labels" in found.notes[-1]
    (tmp_path / "labels.csv").write_text("file,label\n000.wav,burst\n")
    found = source.read(tmp_path, DATA.spec, NAMES)
    assert found.labels is not None
    assert torch.equal(found.labels.bincount(), torch.tensor([2, 2, 3]))


def test_the_command_measures_a_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from ganvas.cli.evaluate import evaluate

    monkeypatch.setenv("COLUMNS", "120")
    write(tmp_path / "real", *sounds(240, 5))
    write(tmp_path / "drawn", *sounds(30, 6))
    assert evaluate(tmp_path / "drawn", data=str(tmp_path / "real"), metrics="class-accuracy,timbre-frechet") == 0
    out = capsys.readouterr().out
    assert "recognised as requested" in out
    assert "held-out ones of real, 16 bits; classifier" in out
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="empty holds no sounds"):
        evaluate(tmp_path / "empty", data=str(tmp_path / "real"), metrics="timbre-frechet")
    (tmp_path / "other.zip").write_bytes(b"")
    with pytest.raises(UserError, match=r"other\.zip is an archive without sounds\. Unpack it"):
        evaluate(tmp_path / "other.zip")


def test_errors_say_what_to_do() -> None:
    with pytest.raises(UserError, match=r"There is no metric 'frechett'\. Did you mean 'frechet'"):
        choose("frechett")
    for options, words in (
        (Options(extractor="pixels"), "--extractor does not apply to sounds"),
        (Options(count=3), "--count 3 is too few"),
        (Options(repeats=0), "--repeats 0"),
    ):
        with pytest.raises(UserError, match=words):
            list(evaluation.evaluate("nowhere", options))
    with pytest.raises(UserError, match="5 sounds and 102 held-out ones of made up are too few"):
        measure(DRAWN[0][:5], DRAWN[1][:5])
