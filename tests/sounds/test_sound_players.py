"""Drawn sounds in a notebook."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import small_sounds
import soundfile
import torch

from ganvas.sounds import players
from ganvas.sounds.players import Waves


def played(html: str) -> list[tuple[np.ndarray, int]]:
    """The sounds of the players in a page, and their rates."""
    found = re.findall(r'src="data:audio/wav;base64,([^"]+)"', html)
    return [soundfile.read(io.BytesIO(base64.b64decode(text)), dtype="float32") for text in found]


def test_drawn_sounds_show_themselves(tmp_path: Path) -> None:
    model = small_sounds.model(tmp_path, "kick", "snare & co")
    waves = model.sample(3, seed=7)
    assert isinstance(waves, Waves)
    html = waves._repr_html_()
    assert html is not None
    assert re.findall(r"<figcaption>(.*?)</figcaption>", html) == [
        "kick, seed 7",
        "snare &amp; co, seed 8",
        "kick, seed 9",
    ]
    for (sound, rate), wave in zip(played(html), waves.numpy(), strict=True):
        assert rate == model.spec.rate
        np.testing.assert_allclose(sound, wave, atol=1e-4)
    assert "<figcaption>seed 0</figcaption>" in str(small_sounds.model(tmp_path).sample(1)._repr_html_())
    one = model.heard(waves[0])
    assert len(played(str(one._repr_html_()))) == 1


def test_what_is_made_of_them_is_a_plain_tensor() -> None:
    waves = Waves.of(torch.rand(4, 100), 8_000)
    for made in (waves[0], waves * 2, torch.cat([waves, waves]), waves.clone()):
        assert type(made) is torch.Tensor
    assert torch.equal(waves, waves + 0)
    assert "0." in repr(waves)
    torch.save(waves, file := io.BytesIO())
    file.seek(0)
    again = torch.load(file)
    assert type(again) is torch.Tensor
    assert torch.equal(again, waves)
    waves.resize_(4, 10, 10)
    assert waves._repr_html_() is None


def test_only_some_of_very_many_are_shown() -> None:
    html = str(Waves.of(torch.zeros(players.MOST + 5, 50), 8_000)._repr_html_())
    assert len(played(html)) == players.MOST
    assert "and 5 more" in html
