"""The exports of a trained model of sounds: its generator and the way from spectrograms to waves as ONNX files."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ganvas.core import seeds
from ganvas.core.exports import Exports, OnnxNetwork, Page
from ganvas.export.onnx import page_files
from ganvas.sounds import codec
from ganvas.sounds.codec import Codec
from ganvas.tasks.sound.network import Generator

if TYPE_CHECKING:
    from ganvas.tasks.sound.model import SoundModel

ENTRIES = ("recipe", "images", "data_name", "fingerprint", "licence", "network")  # of the model's card
ROUNDS = 32  # of Griffin-Lim from random phases, which need more of them than those that `Codec.phases` finds
WEB = Path(__file__).parent / "web"
CLOSE = 0.1  # of full scale: rounding errors grow from round to round


class Waves(nn.Module):
    """`Codec.decode` without complex numbers: spectrograms [B, 1, bands, frames] -> waves [B, samples].

    Spectra are convolutions with cosines and sines under the window. The first phases are random ones, the same for
    every sound.
    """

    forth: Tensor
    back: Tensor
    overlap: Tensor
    first: Tensor
    bank: Tensor
    unbank: Tensor

    def __init__(self, sounds: Codec) -> None:
        super().__init__()
        tables, size, bins = sounds.tables(torch.device("cpu")), sounds.size, sounds.size // 2 + 1
        self.rate, self.samples = sounds.rate, sounds.samples
        self.hop, self.margin = sounds.hop, sounds.margin
        angles = 2 * math.pi / size * torch.arange(bins, dtype=torch.float64)[:, None] * torch.arange(size)
        both = torch.cat([angles.cos(), -angles.sin()])
        twice = torch.full((bins,), 2.0, dtype=torch.float64)
        twice[0] = twice[-1] = 1  # of the others there are two, of opposite frequency
        window = tables.window.double()
        forth = (both * window / sounds.scale).float()[:, None]
        back = (both * window * twice.repeat(2)[:, None] * (sounds.scale / size)).float()[:, None]
        phases = torch.rand(1, bins, sounds.frames, generator=torch.Generator().manual_seed(0)) * 2 * math.pi
        first = torch.cat([phases.cos(), phases.sin()], 1)
        constants = {"forth": forth, "back": back, "overlap": tables.overlap, "first": first}
        constants |= {"bank": tables.bank, "unbank": tables.unbank}
        for name, value in constants.items():
            self.register_buffer(name, value)

    def forward(self, pictures: Tensor) -> Tensor:
        """Spectrograms [B, 1, bands, frames] in [-1, 1] -> waves [B, samples], each with its peak at `codec.PEAK`."""
        strong = self.magnitudes(pictures)
        strong = torch.cat([strong, strong], 1)
        spectra, before = strong * self.first, torch.zeros_like(strong)
        for round_ in range(ROUNDS):
            now = self.spectra(self.waves(spectra))
            ahead = now + codec.MOMENTUM * (now - before) if round_ else now
            real, imaginary = ahead.chunk(2, 1)
            length = (real.square() + imaginary.square()).sqrt().clamp_min(1e-9)
            spectra, before = strong * ahead / torch.cat([length, length], 1), now
        return codec.levelled(codec.ended(self.waves(spectra), self.rate))

    def magnitudes(self, pictures: Tensor) -> Tensor:
        """As `Codec.magnitudes`."""
        return codec.spread_bands(pictures, self.bank, self.unbank)

    def spectra(self, waves: Tensor) -> Tensor:
        """Waves [B, samples] -> real and imaginary parts [B, 2 bins, frames]."""
        rest = self.forth.shape[2] - self.hop - self.margin
        return F.conv1d(F.pad(waves, (self.margin, rest))[:, None], self.forth, stride=self.hop)

    def waves(self, spectra: Tensor) -> Tensor:
        """Real and imaginary parts [B, 2 bins, frames] -> waves [B, samples]."""
        whole = F.conv_transpose1d(spectra, self.back, stride=self.hop)[:, 0]
        return whole[:, self.margin : self.margin + self.samples] / self.overlap


def exports(model: SoundModel) -> Exports:
    """`generator.onnx`: z float [B, latent_dim] and, where there are classes, labels int64 [B] -> spectrograms float
    [B, 1, bands, frames] in [-1, 1]. `waves.onnx`: such spectrograms -> waves float [B, samples] in [-1, 1]. And a page
    that plays them.
    """
    count, card = len(model.class_names), card_of(model)
    if isinstance(model.generator, Generator) and model.generator.harmonics is not None:
        model.generator.harmonics.tables(torch.device("cpu"))  # before it is traced

    def inputs(n: int) -> tuple[Tensor, ...]:
        z = seeds.latents(range(n), model.latent_dim)
        return (z, torch.arange(n) % count) if count else (z,)

    def spectrograms(n: int) -> tuple[Tensor]:
        z, *labels = inputs(n)
        return (model.pictures(z, labels[0] if labels else None).cpu().clone(),)

    names, waves = ("z", "labels") if count else ("z",), Waves(model.spec.codec)
    networks = (
        OnnxNetwork("generator.onnx", model.generator, inputs, names, "spectrograms", card),
        OnnxNetwork("waves.onnx", waves, spectrograms, ("spectrograms",), "waves", card, close=CLOSE),
    )
    return Exports(networks, Page(networks, lambda: _page_files(model)))


def _page_files(model: SoundModel) -> dict[str, bytes]:
    """The files of the page, except its networks."""
    card = model.card
    settings = {
        **{name: value for name, value in card_of(model).items() if name not in ENTRIES},
        "title": f"{card['recipe']}: sounds from noise, in your browser",
        "about": f"Sounds of {model.spec.seconds:.2f} s by a network that heard {card['images']:,} sounds of "
        f"{card['data_name']} (licence: {card['licence']}). It runs on your own machine; nothing is sent anywhere.",
    }
    return page_files(WEB, settings, model.latent_dim)


def card_of(model: SoundModel) -> dict[str, Any]:
    """What another program must know about a model."""
    return {
        **{name: model.card[name] for name in ENTRIES if name in model.card},
        "classes": list(model.class_names),
        "latent_dim": model.latent_dim,
        "rate": model.spec.rate,
        "samples": model.spec.samples,
        "bands": model.spec.bands,
        "frames": model.spec.frames,
        "range": [-1, 1],
    }
