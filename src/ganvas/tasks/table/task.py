"""Rows from noise: a generator that draws columns one after the other, and is later trained against a discriminator.

The generator first learns from the real rows alone, by likelihood. Then both train in turn: the discriminator tells
real rows from drawn ones, and the generator draws more often what the discriminator takes for real.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ganvas.core import distributed, seeds
from ganvas.core.config import knob
from ganvas.core.devices import upload
from ganvas.core.errors import UserError
from ganvas.core.later import Later
from ganvas.core.run import Run
from ganvas.tables import private, summary
from ganvas.tables.data import DataConfig
from ganvas.tables.preview import Preview
from ganvas.tables.several import planner
from ganvas.tables.spec import TableSpec
from ganvas.tasks.table import detector_report, network, privacy, standing, usual
from ganvas.tasks.table.network import Generator
from ganvas.training import losses, trainer
from ganvas.training.batches import Batch, Batches
from ganvas.training.best import best_weights, take_best
from ganvas.training.task import SHOWN, Task

if TYPE_CHECKING:
    from pathlib import Path

    from ganvas.training.experiment import Experiment
    from ganvas.training.several import Parts

LOOKED_AT = 4_000  # rows of a check
FEW = 3  # columns that are given in half of the rows in which some are
UNKNOWN = 1e9  # the best figure before there is one
WORSE = 1.0, 0.03  # by how much, and by which share, -log p of held-out rows is above its best once no more is learned


@dataclass(frozen=True)
class Config:
    """The adversarial phase."""

    warmup: float = knob(
        0.75, "share of the training in which the generator learns without a discriminator", low=0, high=1
    )
    contest: float = knob(1.0, "weight of the discriminator's verdict in the generator's loss", low=0, high=100)
    conditions: float = knob(0.5, "share of the rows in which the generator is given some columns", low=0, high=1)
    clip: float = knob(4.0, "limit of how many times as often the generator should draw a row", low=1, high=100)
    bound: float = knob(1.0, "with privacy=: longest gradient of a row; longer ones are shortened", low=1e-6, high=1e6)


class TableTask(Task):
    """Rows of a table from noise."""

    name, Config, Data, Spec = "table", Config, DataConfig, TableSpec
    networks = {"tabular": network}  # noqa: RUF012
    recipes = Later("ganvas.tasks.table.recipes")
    for_own = "table"
    check_data = Later("ganvas.tables.check:check")
    Model = Later("ganvas.tasks.table.model:TableModel")
    evaluate = Later("ganvas.tasks.table.evaluate.command:evaluate")
    report = Later("ganvas.tasks.table.report:PART")
    report_parts = Later("ganvas.tasks.table.several.report:PART")
    quantities = Later("ganvas.tasks.table.standing:QUANTITIES")
    shown = {"nll": ("-log p", ".3f"), **SHOWN}  # noqa: RUF012
    studio = Later("ganvas.tasks.table.studio:PART")
    checks = "likelihood"
    usage = "draws rows of a table: ganvas sample RUN"
    next_steps = (("Draw rows; the same seed gives the same rows again:", ("sample", "{place}", "--count", "1000")),)
    next_for_parts = (("Draw the twin:", ("sample", "{place}", "--out", "sqlite:///twin.db")),
                      ("Compare it with the real one:", ("evaluate", "{place}")))  # fmt: skip
    load_parts = Later("ganvas.tasks.table.several.whole:load")
    loss = losses.LOSSES["nonsaturating"]

    generator: Generator  # pyright: ignore[reportIncompatibleVariableOverride]

    def __init__(
        self, generator: nn.Module, discriminator: nn.Module, spec: TableSpec, config: Config, network: object
    ) -> None:
        super().__init__(generator, discriminator, spec, config, network)
        self.column_of = torch.tensor([i for i, column in enumerate(spec.learned) for _ in column.sizes])  # of a token
        self.judges = False  # has the discriminator learned anything by now?
        self.private: privacy.Private | None = None
        if not spec.privacy:
            self.state = {"best_nll": torch.tensor(UNKNOWN), "rise": torch.tensor(0.0)}
            self.state |= best_weights(generator)

    @classmethod
    def in_parts(cls, experiment: Experiment) -> bool:
        return planner.several(experiment.data)

    @classmethod
    def parts(cls, experiment: Experiment, folder: Path | None) -> Parts:
        from ganvas.tasks.table.several import parts

        return parts.parts(experiment, folder)

    @classmethod
    def defaults(cls, experiment: Experiment, given: dict[str, str]) -> dict[str, str]:
        is_new = given.get("privacy", "0").strip("0.") and not experiment.data.privacy
        return privacy.DEFAULTS if is_new else {}

    @classmethod
    def remarks(cls, experiment: Experiment) -> list[str]:
        return experiment.data.without_effect()

    @classmethod
    def verify(cls, experiment: Experiment) -> None:
        if experiment.data.privacy:
            privacy.verify(experiment)

    @classmethod
    def ready(cls, experiment: Experiment) -> None:
        if experiment.data.privacy:
            privacy.ready()

    @classmethod
    def check_extended(cls, experiment: Experiment) -> None:
        if experiment.data.privacy:
            raise UserError(
                f"images={experiment.training.images}: the noise of a run with privacy= is for as many images as it "
                "began with, and more would spend more. Start a new run; the epsilons of both add up."
            )

    def prepare(self, config: trainer.Config, batches: Batches) -> None:
        if self.spec.privacy:
            self.private = privacy.Private(self.spec.privacy, self.config.bound, config, batches, self.state)

    def shared(self, row: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in row.items() if not self.spec.privacy or k in privacy.KEPT}

    def contests(self, batch: Batch) -> bool:
        return batch.progress >= self.config.warmup and self.config.contest > 0

    def noise(self, batch: Batch) -> Tensor:
        return upload(batch.draw(torch.rand, len(self.spec.sizes)), batch.real.device)

    def discriminator_loss(self, batch: Batch) -> dict[str, Tensor] | None:
        if not self.contests(batch):
            return None
        self.judges = True
        self.generator.eval()
        self.fake, _ = self.generator.draw(self.noise(batch), rare=True)
        self.generator.train()
        real, fake = self.discriminator(batch.real), self.discriminator(self.fake)
        loss = self.loss.d_loss(real, fake)
        return {"total": loss, "loss_d": loss, **losses.verdicts(self.loss, real, fake)}

    def generator_loss(self, batch: Batch) -> dict[str, Tensor]:
        """The mean over real rows of -log of their probability; in the adversarial phase also of drawn rows, weighted.

        The weight of a drawn row is its density ratio of real to drawn as the discriminator sees it, less 1.
        Source: Che et al. 2017, equation 7.
        """
        if self.private is not None:
            return self.private.loss(self.generator, batch, self.some_given)
        rows = batch.real
        given = self.some_given(batch)
        nll = self.generator.surprise(rows, given).sum(1).mean()
        if not self.contests(batch):
            return {"total": nll, "nll": nll}
        with torch.no_grad():
            ratio = self.discriminator(self.fake).float().clamp(-20, 20).exp()
            weight = (ratio / _mean(ratio)).clamp_max(self.config.clip)
            weight = weight - _mean(weight)
        none = torch.zeros_like(given)
        contest = (weight * self.generator.surprise(self.fake, none).sum(1)).mean()
        return {"total": nll + self.config.contest * contest, "nll": nll, "loss_g": contest}

    def some_given(self, batch: Batch) -> Tensor:
        """Which tokens are given, bool [B, tokens]: whole columns, in some rows one to three or a random share."""
        draws = upload(batch.draw(torch.rand, len(self.spec.learned) + 3), batch.real.device)
        share, some, few, order = draws[:, :1], draws[:, 1:2], draws[:, 2:3], draws[:, 3:]
        most = order.sort(1).values.gather(1, (share * min(FEW, order.shape[1])).long())  # one to three columns
        limit = torch.where(few < 0.5, most, share)
        self.column_of = self.column_of.to(order.device)  # once: it then stays there
        return ((order <= limit) & (some < self.config.conditions))[:, self.column_of]

    def accuracy(self, batch: Batch, generator: nn.Module | None = None) -> dict[str, Tensor]:
        if not self.judges:  # the adversarial phase is yet to come
            return {}
        drawing = (generator or self.generator).eval()
        assert isinstance(drawing, Generator)
        fake, _ = drawing.draw(self.noise(batch), rare=True)
        (self.generator if generator is None else drawing).train(generator is None)
        logits = self.discriminator(batch.real), self.discriminator(fake)
        return dict(zip(("real", "fake"), losses.accuracy(self.loss, *logits), strict=True))

    def check(self, generator: nn.Module, batches: Batches, preview: object) -> dict[str, float]:
        """-log of the probability of training and of held-out rows, a row's mean; what columns of drawn rows have in
        common with those of real ones, and what other real rows would (`common_real`), in percent; in the adversarial
        phase also the discriminator's accuracy."""
        assert isinstance(generator, Generator)
        figures = {}
        for name, batch in (("nll", batches.held_out(LOOKED_AT)), ("nll_train", batches.seen(LOOKED_AT))):
            none = torch.zeros_like(batch.real, dtype=torch.bool)
            figures[name] = float(generator.surprise(batch.real, none).sum(1).mean())
        if not self.spec.privacy:
            best = min(figures["nll"], float(self.state["best_nll"]))
            rise = figures["nll"] - best
            self.state["best_nll"] = torch.tensor(best)
            if figures["nll"] <= standing.limit(best):
                self.state |= best_weights(generator)
            if not self.judges:
                self.state["rise"] = torch.tensor(rise if rise > max(WORSE[0], WORSE[1] * abs(best)) else 0.0)
        real: object = None if self.spec.privacy else batches.data.examples()
        if isinstance(preview, Preview) and isinstance(real, Preview):
            common = summary.in_common(self.spec, real.frame, preview.frame, real.rare())
            figures |= {"common": 100 * common[0], "common_real": 100 * common[1]}
        return {**figures, **super().check(generator, batches, preview)}

    def is_over(self) -> str:
        if self.spec.privacy or not self.state["rise"]:
            return ""
        best, rise = float(self.state["best_nll"]), float(self.state["rise"])
        return (
            f"The training ends here: -log p of held-out rows was {best:.2f} and is {best + rise:.2f} now: rows "
            "are being memorised. The weights from about when it was lowest are kept."
        )

    def finish(self, generator: nn.Module, batches: Batches, run: Run) -> Iterator[str]:
        """Keep the last weights with which held-out rows were about as probable as ever: later ones may have memorised
        rows, and earlier ones know less about how columns depend on each other."""
        if self.private is not None:  # held-out rows are protected as well
            self.findings |= {"privacy": self.private.told(), "no_detector": privacy.NO_DETECTOR}
            yield private.spent(self.spec.privacy, self.findings["privacy"])
            return
        if self.state["best_nll"] < UNKNOWN:
            take_best(generator, self.state)
        yield ""
        assert isinstance(generator, Generator)
        held_out = batches.held_out(usual.MOST).real.cpu()
        found, reason = detector_report.learn(generator.eval(), self.spec, held_out, batches.seed)
        self.findings |= {"usual": found} if found else {"no_detector": reason}
        yield reason

    @classmethod
    def describe(cls, figures: dict[str, float]) -> str:
        return standing.describe(figures)

    @classmethod
    def headline(cls, rows: list[dict[str, Any]], checks: list[dict[str, Any]]) -> str:
        return standing.headline(rows, checks)

    def preview(self, generator: nn.Module, batches: Batches) -> Preview:
        assert isinstance(generator, Generator)
        noise = torch.rand(2_000, len(self.spec.sizes), generator=seeds.generator(0, "preview")).to(batches.device)
        return Preview.of(self.spec, *generator.draw(noise))


def _mean(values: Tensor) -> Tensor:
    """The mean of values [B] over the batches of all ranks, [1]."""
    mean = values.mean(0, keepdim=True)
    distributed.average([mean])
    return mean
