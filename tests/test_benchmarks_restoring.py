"""The benchmark of restoring measures what it says: the same damages, whole pictures, holes, the best setting, once."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parent.parent / "benchmarks"))  # programs, not a package
restoring = importlib.import_module("restoring")


def picture(seed: int = 0, height: int = 70, width: int = 130) -> Tensor:
    return torch.randint(100, 150, (1, 3, height, width), generator=torch.Generator().manual_seed(seed)).byte()


def test_a_damage_follows_from_its_name_and_that_of_the_picture_and_is_in_8_bits() -> None:
    clean = picture()
    one, again, other = (restoring.damaged(clean, "noise:25", name) for name in ("a", "a", "b"))
    assert torch.equal(one.seen, again.seen)
    assert one.digest == again.digest != other.digest
    assert torch.equal(one.seen, one.seen.round())
    assert float((one.seen - clean).std()) == pytest.approx(25, rel=0.03)
    assert restoring.damaged(clean, "down:2", "a").seen.shape == (1, 3, 35, 65)


def test_every_square_has_holes_of_its_own_and_what_is_known_stays() -> None:
    clean = picture()
    d = restoring.damaged(clean, "holes:25", "a")
    assert d.mask is not None
    assert d.mask.shape == (1, 1, 70, 130)
    left, right = d.mask[0, 0, :64, :64], d.mask[0, 0, :64, 64:128]
    assert all(0.1 < float(square.float().mean()) < 0.45 for square in (left, right))
    assert not torch.equal(left, right)
    assert not d.mask[0, 0, 64:].any()
    assert not d.mask[0, 0, :, 128:].any()
    assert torch.equal(d.seen, torch.where(d.mask, 0, clean.float()))


def test_psnr_is_that_of_the_missing_pixels_where_some_are_missing() -> None:
    clean, mask = torch.full((1, 3, 16, 16), 100, dtype=torch.uint8), torch.zeros(1, 1, 16, 16, dtype=torch.bool)
    mask[..., :4] = True  # a quarter
    made = clean.float().masked_fill(mask, 110.4)
    everywhere = restoring.measure(lambda d: made, restoring.Damaged(clean.float(), None), clean)
    missing = restoring.measure(lambda d: made, restoring.Damaged(clean.float(), mask), clean)
    assert missing["psnr"] == pytest.approx(20 * np.log10(255 / 10), abs=1e-4)  # rounded to 8 bits
    assert everywhere["psnr"] == pytest.approx(missing["psnr"] + 10 * np.log10(4), abs=1e-4)


def test_the_best_setting_counts_by_its_mean_over_the_pictures_and_nothing_is_computed_twice(tmp_path: Path) -> None:
    clean = {"a": picture(1, 16, 16), "b": picture(2, 16, 16)}
    calls: list[str] = []

    def shifted(name: str, levels: float) -> Callable[[Any], Tensor]:
        def restore(d: Any) -> Tensor:
            calls.append(name)
            truth = next(x for key, x in clean.items() if restoring.damaged(x, "noise:25", key).digest == d.digest)
            return truth.float() + levels * (1 if d.digest == first else 2)

        return restore

    first = restoring.damaged(clean["a"], "noise:25", "a").digest
    method = restoring.Method("test", {"far": shifted("far", 10), "near": shifted("near", 5)})
    kept = tmp_path / "kept.jsonl"
    wanted = (20 * np.log10(255 / 5) + 20 * np.log10(255 / 10)) / 2
    found = restoring.best(method, "", "noise:25", clean, restoring.Kept(kept))
    assert found["psnr"] == pytest.approx(wanted, abs=1e-4)
    assert restoring.best(method, "", "noise:25", clean, restoring.Kept(kept)) == found
    assert sorted(calls) == ["far", "far", "near", "near"]
    assert len(kept.read_text().splitlines()) == 4
    assert restoring.best(method, "other weights", "noise:25", clean, restoring.Kept(kept))["psnr"] == found["psnr"]
    assert len(calls) == 8


def test_each_damage_is_compared_with_what_can_undo_it() -> None:
    names = {
        d: [m.name for m in restoring.others(d, ())] for d in ("noise:25,jpeg:50", "jpeg:20", "down:4", "holes:25")
    }
    assert "BM3D, told the noise" in names["noise:25,jpeg:50"]
    assert names["jpeg:20"] == ["as it is", "total variation", "non-local means"]
    assert names["down:4"] == ["bicubic"]
    assert names["holes:25"] == ["diffusion fill", "OpenCV, Telea"]
    assert [m.name for m in restoring.others("holes:25", ["OpenCV"])] == ["diffusion fill"]


def test_without_bm3d_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "bm3d", None)
    told = restoring.others("noise:25", ())[-1].settings[""]
    with pytest.raises(SystemExit, match="pip install bm3d, or leave it out: --without BM3D"):
        told(restoring.damaged(picture(), "noise:25", "a"))


def test_the_table_names_each_damage_once_and_marks_the_best() -> None:
    rows = [
        ("noise:25", "as it is", {"psnr": 20.1, "ssim": 0.3, "seconds": 0.0}),
        ("noise:25", "Ganvas", {"psnr": 30.45, "ssim": 0.85, "seconds": 2.345}),
        ("down:2", "bicubic", {"psnr": 29.0, "ssim": 0.8, "seconds": 0.1}),
    ]
    lines = restoring.table(rows, 24).splitlines()
    assert lines[2] == "| `noise:25` | as it is | 20.10 | 0.300 | 0 |"
    assert lines[3] == "|  | Ganvas | **30.45** | 0.850 | 2.3 |"
    assert lines[4].startswith("| `down:2` | bicubic | **29.00** |")
    assert "24 pictures" in lines[0]


def test_a_quick_run_prints_a_table(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "photos").mkdir()
    for name in ("a", "b", "c"):
        Image.fromarray(picture(3, 150, 140)[0].permute(1, 2, 0).numpy()).save(tmp_path / "photos" / f"{name}.png")
    monkeypatch.setattr(restoring, "MIDDLE", 64)
    words = ["restoring.py", str(tmp_path / "photos"), "--quick", "--kept", str(tmp_path / "kept"), "--damages"]
    monkeypatch.setattr(sys, "argv", [*words, "jpeg:20", "down:2"])
    restoring.main()
    printed = capsys.readouterr().out
    assert "`jpeg:20` | as it is" in printed
    assert "the restorer that comes with it" in printed
    rows = [json.loads(line) for line in (tmp_path / "kept").read_text().splitlines()]
    assert len({row["key"] for row in rows}) == len(rows) == 2 * (1 + 3 + 3 + 1 + 1)
