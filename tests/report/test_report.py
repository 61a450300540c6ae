"""report.html on hand-made run folders: whole, self-contained, safe, and there from the first snapshot on."""

from __future__ import annotations

import itertools
import json
import re
import time
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from ganvas.core import checkpoint, registry
from ganvas.core.run import Run
from ganvas.images.sheets import Sheet
from ganvas.report import charts
from ganvas.report import page as report
from ganvas.report.quantities import Quantity
from ganvas.tasks.restore.task import RestoreTask
from ganvas.tasks.translate.task import TranslateTask
from ganvas.training.losses import LOSSES, Objective, critic_g, hinge_d
from ganvas.training.task import Task

VOID = {"meta", "img", "input", "br", "link"}
HOSTILE = '<script>alert("1")</script>&\'"'


class Page(HTMLParser):
    """Elements of a page; complains of tags that do not close in order."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.stack: list[str] = []
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert not self.stack, f"never closed: {self.stack}"

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute of {tag} is there twice"
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.stack.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.stack, f"</{tag}> closes nothing"
        assert self.stack.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words += data

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


def row(images: int, **fields: Any) -> dict[str, Any]:
    base = {"epoch": images / 60000, "loss_d": 1.2, "loss_g": 0.9, "accuracy_real": 0.74, "accuracy_fake": 0.68}
    base |= {"accuracy_held_out": 0.73, "d_real": 0.6, "d_fake": 0.4, "lr_g": 1e-3, "lr_d": 1e-3}
    return {"images": images, **base, "seconds": images / 1000, "images_per_second": 1000.0, **fields}


def card(**changes: Any) -> dict[str, Any]:
    base: dict[str, Any] = {"recipe": "tiny", "data": {"source": "mnist", "labels": True}}
    base |= {"network": {"name": "net"}, "task": {"loss": "nonsaturating", "r1": 0.3}, "training": {"images": 40_000}}
    base |= {"spec": {"channels": 1, "size": 8, "classes": 2}, "classes": ["cat", "dog"], "data_name": "pets"}
    return {**base, "fingerprint": "0123456789abcdef" * 4, "licence": "CC0", **changes}


def make(folder: Path, rows: int = 20, pictures: int = 3, **changes: Any) -> Run:
    """A run's folder without a training."""
    folder.mkdir()
    run = Run(folder)
    run.experiment.write_text(json.dumps(card(**changes)))
    for i in range(rows):
        run.append(row(2000 * (i + 1)))
    torch.manual_seed(0)
    sheet = Sheet(torch.randint(0, 256, (20, 1, 8, 8), dtype=torch.uint8))
    for i in range(pictures):
        run.save_sample("fakes_init" if i == 0 else f"fakes_{10 * i:06d}", sheet.files())
    if pictures:
        run.save_sample("reals", sheet.files())
    return run


def read(run: Run) -> tuple[str, Page]:
    report.write(run)
    text = run.report.read_text()
    return text, Page(text)


def test_a_whole_run(tmp_path: Path) -> None:
    run = make(tmp_path / "00001-pets")
    run.append({"images": 40_000, "metric": "discriminator-accuracy", "diversity": 0.91}, run.metrics)
    run.save_model(run.model, {"w": torch.zeros(1)}, {"machine": {"device": "cpu", "precision": "bf16"}})
    text, page = read(run)
    assert len(page.all("svg")) == 4
    assert all(svg["role"] == "img" and svg["aria-label"] for svg in page.all("svg"))
    assert len(page.all("img")) == 1 + 1 + 3  # newest, real, film
    assert all(img["alt"] for img in page.all("img"))
    for words in ("00001-pets", "40,000 of 40,000", "This run is complete", "Balanced", "0.91", "CC0", "cat, dog"):
        assert words in page.words
    for words in ("0123456789ab", "bf16", "ganvas resume ", "images=80000", "--seeds 0-63", "nonsaturating"):
        assert words in page.words
    assert "0123456789abc" not in text
    assert "nan" not in re.sub(r"base64,[^\"]*", "", text).lower()


def test_headings_go_down_in_order(tmp_path: Path) -> None:
    _, page = read(make(tmp_path / "run"))
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch("h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(b <= a + 1 for a, b in itertools.pairwise(levels))


def test_self_contained(tmp_path: Path) -> None:
    text, page = read(make(tmp_path / "run"))
    assert "http://" not in text
    assert "https://" not in text
    for _, attributes in page.elements:
        assert "href" not in attributes
        assert (attributes.get("src") or "data:").startswith("data:")
    assert "default-src 'none'" in str(page.all("meta"))
    assert not re.search(r"url\(|@import", text)


def test_hostile_names_stay_words(tmp_path: Path) -> None:
    sections = {"data": {"source": HOSTILE, HOSTILE: 1}, "task": {"loss": HOSTILE}, HOSTILE: {"a": [HOSTILE]}}
    run = make(
        tmp_path / "a<b>&'\"c", recipe=HOSTILE, classes=[HOSTILE], data_name=HOSTILE, licence=HOSTILE, **sections
    )
    run.append(row(50_000, **{HOSTILE: HOSTILE, "loss_d": HOSTILE}))
    text, page = read(run)
    assert len(page.all("script")) == 1
    assert "<script>alert" not in text
    assert text.count("a<b>") == 0
    assert HOSTILE in page.words


def test_zero_rows_and_no_picture(tmp_path: Path) -> None:
    _, page = read(make(tmp_path / "run", rows=0, pictures=0))
    assert "There is no picture yet" in page.words
    assert "Too early" in page.words
    assert not page.all("svg")
    assert "0 of 40,000" in page.words


def test_pictures_only(tmp_path: Path) -> None:
    run = make(tmp_path / "run", rows=0, pictures=1)
    run.experiment.unlink()
    _, page = read(run)
    assert len(page.all("img")) == 2
    assert "Before the training: noise" in page.words


def test_an_empty_folder_and_damaged_files(tmp_path: Path) -> None:
    read(Run(tmp_path))
    (tmp_path / "experiment.json").write_text("{cut")
    (tmp_path / "log.jsonl").write_text('[]\n3\n{"images": "x"}\n{"images": 10, "loss_d": NaN}\n{"images": 20, "lo')
    (tmp_path / "model.safetensors").write_bytes(b"nothing")
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "reals.png").write_bytes(b"no picture")
    _, page = read(Run(tmp_path))
    assert not page.all("img")


def test_one_row(tmp_path: Path) -> None:
    _, page = read(make(tmp_path / "run", rows=1))
    assert len(page.all("svg")) == 4
    assert "5% of the run is done" in page.words


@pytest.mark.parametrize("loss", ["relativistic", "wasserstein", "hinge"])
def test_scores_that_are_no_probabilities_are_drawn_as_they_are(tmp_path: Path, loss: str) -> None:
    run = make(tmp_path / "run", rows=0, task={"loss": loss})
    for i in range(12):
        run.append(row(1000 * (i + 1), d_real=-7.5, d_fake=-9.0))
    _, page = read(run)
    assert "raw score" in page.words
    assert "undecided" not in page.words
    for line in page.all("polyline"):
        heights = [float(point.split(",")[1]) for point in str(line["points"]).split()]
        assert all(14 <= y <= 242 for y in heights)  # inside the frame


def test_commands_and_settings_do_not_name_the_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    text, page = read(make(tmp_path / "my run", data={"source": str(tmp_path / "pets")}))
    assert "ganvas resume ~/'my run'" in page.words
    assert str(tmp_path) not in text


def pictures_of(folder: Path, count: int, size: int) -> list[tuple[int, Path]]:
    for k in range(count):
        (folder / f"{k}.png").write_bytes(bytes(size))
    return [(k, folder / f"{k}.png") for k in range(count)]


def test_many_pictures_are_thinned_evenly_in_the_logarithm(tmp_path: Path) -> None:
    chosen = [kimg for kimg, _ in report._spread(pictures_of(tmp_path, 1000, 10))]
    assert len(chosen) == report.PICTURES
    assert chosen == sorted(set(chosen))
    assert (chosen[0], chosen[-1]) == (0, 999)
    assert sum(kimg < 100 for kimg in chosen) > report.PICTURES / 2


def test_large_pictures_are_fewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "BYTES", 500)
    assert [kimg for kimg, _ in report._spread(pictures_of(tmp_path, 30, 100))][::4] == [0, 29]


def test_a_long_log_is_quick_and_its_curves_are_short(tmp_path: Path) -> None:
    run = make(tmp_path / "run", rows=0)
    run.log.write_text("".join(json.dumps(row(1000 * (i + 1), loss_g=float(i))) + "\n" for i in range(5000)))
    began = time.process_time()
    text, page = read(run)
    assert time.process_time() - began < 2  # some 0.2 s on a slow core
    assert max(len(str(line["points"]).split()) for line in page.all("polyline")) <= charts.POINTS
    assert len(text) < 1_000_000


@pytest.mark.parametrize(
    ("low", "high", "wanted"),
    [
        (0, 1, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0.03, 11.4, [0, 5, 10, 15]),
        (-9, -7.5, [-9, -8.5, -8, -7.5]),
        (5, 5, [2, 3, 4, 5, 6, 7, 8]),
    ],
)
def test_ticks_are_round_and_enclose(low: float, high: float, wanted: list[float]) -> None:
    found = charts.ticks(low, high)
    assert found[0] <= low
    assert found[-1] >= high
    assert found == wanted


def test_card_of_a_model_is_read_from_its_head_alone(tmp_path: Path) -> None:
    run = make(tmp_path / "run")
    checkpoint.save(run.model, {"w": torch.zeros(4)}, {"machine": {"device": "made-up-device"}})
    assert "made-up-device" in read(run)[1].words


class PointsTask(Task):
    """A task of another package that hands over no part of the report."""

    name = "points"
    checks = "spread"
    quantities = {"width": Quantity("Width <b>", ".1f", "how far the points are apart")}  # noqa: RUF012
    next_steps = (("Draw points:", ("points", "{place}", "--out", "a file.csv")),)


def test_a_task_without_a_part_gets_curves_and_its_last_check(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TASKS, "points", PointsTask)
    run = make(tmp_path / "run", pictures=0, task={"name": "points", "loss": "hinge"})
    for width in (1.0, 2.5):
        run.append({"images": 40_000, "metric": "spread", "n": 100, "width": width, HOSTILE: 0.123456}, run.metrics)
    text, page = read(run)
    assert "picture yet" not in page.words
    assert len(page.all("svg")) == 3
    for words in (
        "Width <b>",
        "2.5",
        "how far the points are apart",
        HOSTILE,
        "0.1235",
        "points ",
        "--out 'a file.csv'",
    ):
        assert words in page.words
    assert "<b>" not in text
    assert "sample" not in page.words.split("Next steps")[1].split("The exact settings")[0]


def test_previews_of_a_task_without_a_part_are_shown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(registry.TASKS, "points", PointsTask)
    _, page = read(make(tmp_path / "run", task={"name": "points"}))
    assert len(page.all("img")) == 1 + 1 + 3
    assert "Before the training" in page.words
    assert "noise" not in page.words


@pytest.mark.parametrize("name", ["no-such-task", HOSTILE, 3, None, ["generate"], {}])
def test_a_card_of_no_known_task_gives_a_report(tmp_path: Path, name: object) -> None:
    _, page = read(make(tmp_path / "run", task={"name": name, "loss": ["x"]}))
    assert len(page.all("svg")) >= 3
    assert "40,000 of 40,000" in page.words


def test_a_new_loss_says_itself_what_its_curves_mean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(LOSSES, "own", Objective(hinge_d, critic_g, None, guess=1.75, probability=True))
    _, page = read(make(tmp_path / "run", task={"loss": "own"}))
    for words in ("an expert that guesses (1.75)", "a probability of being real", "undecided (0.5)", "judges pairs"):
        assert words in page.words


def test_what_was_measured_of_a_restoring_model_is_a_table(tmp_path: Path) -> None:
    run = make(tmp_path / "run", task={"name": "restore", "degrade": HOSTILE, "lively": 0.1, "loss": "nonsaturating"})
    answers = [{"name": HOSTILE, "psnr": 20.123, "read": 0.912, "note": HOSTILE}, {"name": "it", "psnr": 100.0}, "no"]
    found = {"n": 1000, "size": 28, "data": HOSTILE, "extractor": HOSTILE, "answers": answers}
    run.append({"images": 40_000, "metric": "restoration", **found}, run.metrics)
    run.append({"images": 40_000, "metric": "fidelity", "psnr": 21.0, "psnr_damaged": 18.0}, run.metrics)
    text, page = read(run)
    for words in ("20.12", "91.2%", "1,000 held-out pieces of 28 px", "The damage: " + HOSTILE, "PSNR of the damaged"):
        assert words in page.words
    assert RestoreTask.report.rule in page.words
    assert "<script>alert" not in text
    assert len(page.all("svg")) == 3


def test_what_was_measured_of_a_translating_model_is_a_table(tmp_path: Path) -> None:
    task = {"name": "translate", "loss": "relativistic"}
    run = make(tmp_path / "run", rows=0, task=task, other_name=HOSTILE)
    for i in range(3):
        run.append(row(1000 * (i + 1), loss_cycle=0.5, loss_identity=0.4))
        run.append({"images": 1000 * (i + 1), "metric": "round-trip", "cycle_a": 9.0, "middle_b": 0.5}, run.metrics)
    ways = [{"to": HOSTILE, "name": HOSTILE, "frechet": 3.0, "cycle": 12.34, "note": HOSTILE}, {"to": "B"}, 3]
    found = {"n": [100, "x"], "extractor": HOSTILE, "ways": ways}
    run.append({"images": 3000, "metric": "translation", **found}, run.metrics)
    text, page = read(run)
    for words in ("12.3", "100 and some held-out pictures", f"B ({HOSTILE})", "Left alone 0.4", "judges pairs"):
        assert words in page.words
    assert TranslateTask.report.rule in page.words
    assert "<script>alert" not in text
    assert len(page.all("svg")) == 5
