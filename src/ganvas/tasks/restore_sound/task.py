"""Restore sounds: training adds noise to clean sounds and learns to remove it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import seeds
from ganvas.core.config import knob
from ganvas.core.devices import upload
from ganvas.core.later import Later
from ganvas.core.samples import CHECK
from ganvas.sounds.sheets import COLUMNS, Preview
from ganvas.tasks.restore_sound import fidelity, network, noise, noises
from ganvas.tasks.restore_sound.data import DataConfig, WaveSpec
from ganvas.training import losses
from ganvas.training.batches import Batch, Batches
from ganvas.training.losses import LOSSES, objective
from ganvas.training.remarks import without_discriminator
from ganvas.training.task import SHOWN, Task

if TYPE_CHECKING:
    from ganvas.training.experiment import Experiment

JITTER = 8.0  # dB: the loudest moment of a long recording may be as much louder than that of a short sound
PIECE = 1.0  # seconds of a sound, at most, that are learned from at a time
HEARD = 3  # sounds of a strip, each noisy, restored and clean


@dataclass(frozen=True)
class Config:
    """The noise, and the weight of the discriminator."""

    degrade: str = knob(
        "noise:0-20",
        "the noise: name:SNR or name:from-to in dB, several, separated by ',', are added up; "
        f"{', '.join(noise.KINDS)} (noise: of any colour, or a hum)",
        check="ganvas.tasks.restore_sound.noises:parse",
    )
    lively: float = knob(
        0.0,
        "from faithful (0: no discriminator) to lively (0.1, say): weight of the adversarial loss next to the distance",
        low=0,
        high=10,
    )
    loss: str = knob(
        "nonsaturating", "adversarial loss, or one of your own: my.py:loss", choices=tuple(LOSSES), code=True
    )


class RestoreSoundTask(Task):
    """G takes noise out of sounds, as near to the clean ones as it can; D rates stretches of its output."""

    name = "restore-sound"
    Config, Data, Spec = Config, DataConfig, WaveSpec
    networks = {"spectral-gains": network}  # noqa: RUF012
    recipes = Later("ganvas.tasks.restore_sound.recipes")
    Model = Later("ganvas.tasks.restore_sound.model:SoundRestorer")
    evaluate = Later("ganvas.tasks.restore_sound.evaluate:command")
    report = Later("ganvas.tasks.restore_sound.report:PART")
    quantities = Later("ganvas.tasks.restore_sound.report:QUANTITIES")
    studio = Later("ganvas.tasks.restore_sound.studio:PART")
    shown = {**SHOWN, "sdr": ("SDR", ".2f")}  # noqa: RUF012
    not_compared = "restores sounds. Compare it with others: ganvas evaluate RUN --against RUN"
    checks = "fidelity"
    usage = "restores sounds and does not draw any from noise: use `ganvas restore MODEL FILES... --out DIR`"
    next_steps = (
        ("Restore recordings of any length:", ("restore", "{place}", "my-recordings/", "--out", "restored/")),
    )

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, spec: WaveSpec, config: Config, net: Any
    ) -> None:
        super().__init__(generator, discriminator, spec, config, net)
        self.steps, self.objective = noises.parse(config.degrade), objective(config.loss)
        self._made: tuple[Tensor, Tensor] | None = None  # clean and restored sounds of D's step, reused in G's

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        noises.parse(experiment.task.degrade)  # raises on a wrong `degrade` before any data is read

    @classmethod
    def remarks(cls, experiment: Experiment) -> list[str]:
        return without_discriminator(experiment)

    @classmethod
    def check_card(cls, card: dict[str, Any]) -> None:
        noises.parse(card["task"]["degrade"])

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        clean, noisy = self._pairs(batch)
        louder = 10 ** (JITTER / 20 * upload(batch.draw(torch.rand, 1), clean.device))
        mended = self.generator(noisy, network.loudest(noisy, self.spec.window) * louder)
        self._made = clean, mended
        if not self.config.lively:
            return None
        real, fake = self.discriminator(clean).float(), self.discriminator(mended.detach()).float()
        loss = self.objective.d_loss(real, fake)
        return {"total": loss, "loss_d": loss, **losses.verdicts(self.objective, real, fake)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        assert self._made is not None, "the discriminator's step comes first"
        (clean, mended), self._made = self._made, None
        distance = fidelity.loss(mended, clean, self.spec.window)
        logged = {"loss_distance": distance, "sdr": fidelity.sdr(mended.detach(), clean).median()}
        if not self.config.lively:
            return {"total": distance, "loss_g": distance, **logged}
        fake = self.discriminator(mended).float()
        with torch.no_grad():  # only pairwise losses look at the real sounds here
            real = self.discriminator(clean).float() if self.objective.pairs else fake
        loss = self.objective.g_loss(real, fake)
        total = distance + self.config.lively * loss
        return {"total": total, "loss_g": loss, "d_fake_after": losses.score(self.objective, fake), **logged}

    @torch.no_grad()
    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        if not self.config.lively:
            return {}
        clean, noisy = self._pairs(batch)
        real = self.discriminator(clean).float()
        fake = self.discriminator((generator or self.generator)(noisy)).float()
        right_real, right_fake = losses.accuracy(self.objective, real, fake)
        return {"real": right_real, "fake": right_fake}

    @torch.no_grad()
    def check(self, generator: nn.Module, batches: Batches, preview: Preview) -> dict[str, float]:
        clean, noisy = self._check_pairs(batches)
        values: dict[str, Tensor] = {}
        for name, waves in (("", generator(noisy)), ("_damaged", noisy)):
            values[f"sdr{name}"] = fidelity.sdr(waves, clean).mean()
            values[f"lsd{name}"] = fidelity.spectral_distance(waves, clean, self.spec.window).mean()
        return {name: round(float(value), 4) for name, value in values.items()}

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        f = figures
        before = f"{f['sdr_damaged']:.2f} and {f['lsd_damaged']:.2f} dB"
        return f"Held-out sounds: SDR {f['sdr']:.2f} dB, spectral distance {f['lsd']:.2f} dB (noisy {before})"

    @torch.no_grad()
    def preview(self, generator: nn.Module, batches: Batches) -> Preview:
        clean, noisy = (x[:COLUMNS] for x in self._check_pairs(batches))
        shown = [noisy, generator(noisy), clean]
        heard = [x[i] for i in range(min(HEARD, len(clean))) for x in shown]
        pictures = [self.spec.codec.encode(x[torch.arange(COLUMNS) % len(x)]) for x in shown]  # rows are always full
        return Preview(torch.cat(pictures).cpu(), torch.stack(heard).cpu(), self.spec.rate)

    def _check_pairs(self, batches: Batches) -> tuple[Tensor, Tensor]:
        """Held-out sounds, clean and noisy, the same ones at each call."""
        clean = batches.held_out(CHECK).real
        numbers = torch.rand(len(clean), 2, generator=seeds.generator(batches.seed, "damage"))
        return clean, noise.added(self.steps, clean, self.spec.rate, numbers)

    def _pairs(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """The batch's sounds, at other moments, and the same with noise."""
        piece, loud = round(PIECE * self.spec.rate), noise.loudness(batch.real)
        clean = noise.placed(batch.real, piece, batch.draw(torch.rand, 2))
        return clean, noise.added(self.steps, clean, self.spec.rate, batch.draw(torch.rand, 2), loud)
