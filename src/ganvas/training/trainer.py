"""The state of a training and its single step: networks, average, optimisers, clock, running means of the log."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganvas.core import checkpoint, devices, distributed, optimizers, seeds
from ganvas.core.config import LARGEST, knob
from ganvas.core.errors import UserError
from ganvas.training import ema
from ganvas.training.batches import Batch, Batches
from ganvas.training.task import Task

FEW = 8  # samples of a process, below which batch norm's statistics are too uncertain
PROBE = 32  # held-out images in a probe of the discriminator


@dataclass(frozen=True)
class Config:
    """Length, optimisers and schedule of a training, in images seen: real images shown to the discriminator."""

    images: int = knob(150_000, "length of the training in images seen (150k, 2M)", low=1, high=10**12)
    batch: int = knob(128, "images per step, of all processes together", low=2, high=10**6)
    lr_g: float = knob(1e-3, "learning rate of the generator", low=0, high=100)
    lr_d: float = knob(1e-3, "learning rate of the discriminator", low=0, high=100)
    optimizer_g: str = knob(
        "adam",
        "the generator's optimiser; muon (momentum beta1, steps that are orthogonal matrices) needs fewer images where "
        "the discriminator does not take part",
        choices=("adam", "muon"),
    )
    beta1: float = knob(0.0, "Adam's first decay rate", low=0, high=0.9999)
    beta2: float = knob(0.99, "Adam's second decay rate", low=0, high=0.999999)
    beta2_from: float = knob(
        0.0,
        "its value at the start, from which it rises to beta2 during burn_in (0: beta2 from the start)",
        low=0,
        high=1,
    )
    burn_in: float = knob(0.1, "share of the training in which beta2 rises", low=0, high=1)
    decay_from: float = knob(1.0, "share of the training after which the learning rates fall to 0", low=0, high=1)
    clip_g: float = knob(
        0.0, "norm that the generator's gradient has at most: a longer one is shortened (0: any)", low=0, high=10**6
    )
    ema: int = knob(0, "half-life of the averaged generator's weights in images (0: no average)", low=0, high=10**12)
    ema_ramp: float = knob(0.05, "upper limit of that half-life as a share of the images seen", low=0, high=1)
    seed: int = knob(0, "seed of all random numbers", low=0)
    device: str = knob("auto", "where to compute", choices=("auto", "cpu", "cuda", "mps"))
    precision: str = knob("auto", "number format of the multiplications", choices=("auto", "fp32", "bf16"))
    from_: str = knob("", "a trained model (a run, a model file, hf://user/name) to start from")
    freeze: int = knob(
        0, "with from: layers of the discriminator, counted from the pixels, that stay unchanged", low=0, high=1000
    )
    tick_every: int = knob(2_000, "images from one log line to the next", low=1, high=10**12)
    sample_every: int = knob(10_000, "images from one picture to the next (0: only sample_at)", low=0, high=10**12)
    sample_at: tuple[int, ...] = knob((), "more pictures, after so many images", low=1, high=10**12)
    keep_models: bool = knob(False, "keep the model of each picture in models/")
    evaluate_every: int = knob(
        0, "images from one evaluation (Frechet distance ...) to the next, while it trains", low=0, high=10**12
    )
    evaluate_count: int = knob(2_000, "pictures that such an evaluation draws", low=100, high=10**6)
    save_seconds: float = knob(60.0, "seconds from one snapshot to the next", low=0, high=10**12)


def choose_device(config: Config) -> torch.device:
    """The device that `device=auto` means here.

    Raises:
        UserError: there is no such device.
    """
    alone = distributed.size() == 1  # PyTorch has no communication between processes on MPS
    available = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available() and alone, "cpu": True}
    name = next(name for name, ok in available.items() if ok) if config.device == "auto" else config.device
    if not available[name]:
        raise UserError(f"device={name}: PyTorch finds no such device here. Use device=auto or device=cpu.")
    if name != "cuda" or alone:
        return torch.device(name)
    number, count = distributed.local_rank(), torch.cuda.device_count()
    if number >= count:
        raise UserError(
            f"Process {number} of this machine has no GPU: there are {count}. Use --nproc-per-node {count}."
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def choose_precision(config: Config, device: torch.device) -> str:
    """'bf16' where the hardware multiplies it natively, else 'fp32' (emulated bf16 is hundreds of times slower)."""
    if config.precision != "auto":
        return config.precision
    if device.type == "cuda":
        native = torch.cuda.is_bf16_supported(including_emulation=False)
    else:
        caps = torch.cpu.get_capabilities() if device.type == "cpu" else {}
        native = bool(caps.get("avx512_bf16") or caps.get("amx_bf16"))
    return "bf16" if native else "fp32"


def place(task: Task, device: torch.device) -> None:
    """Move a task's networks to a device."""
    for network in (task.generator, task.discriminator):
        network.to(device, memory_format=torch.channels_last)  # pyright: ignore[reportCallIssue]


@contextlib.contextmanager
def frozen(weights: Sequence[nn.Parameter]) -> Iterator[None]:
    """A context in which no gradients of these weights are computed."""
    for weight in weights:
        weight.requires_grad_(False)
    try:
        yield
    finally:
        for weight in weights:
            weight.requires_grad_(True)


def gradients(network: nn.Module) -> Iterator[Tensor]:
    """The gradients of a network's weights, as far as there are any."""
    return (p.grad for p in network.parameters() if p.grad is not None)


class Trainer:
    """The state of a training: networks, average, optimisers, images seen, and the running means of the log."""

    def __init__(self, task: Task, config: Config) -> None:
        self.task, self.config = task, config
        self.device = choose_device(config)
        self.precision = choose_precision(config, self.device)
        place(task, self.device)
        devices.set_precision(self.device, self.precision)
        if self.device.type == "cpu":
            devices.keep_freed()
        self.average = copy.deepcopy(task.generator).requires_grad_(False).eval()
        self.trained_d = [w for w in task.discriminator.parameters() if w.requires_grad]
        weights, betas = list(task.generator.parameters()), self.betas(0)
        if config.optimizer_g == "muon":
            dtype = torch.bfloat16 if self.precision == "bf16" else torch.float32
            self.optimizer_g = optimizers.Muon(weights, config.lr_g, betas, dtype, fused=True)
        else:
            self.optimizer_g = optimizers.Adam(weights, config.lr_g, betas, fused=True)
        self.optimizer_d = optimizers.Adam(self.trained_d, config.lr_d, betas, fused=True)
        self.images = self.probed = 0
        self.seconds = 0.0
        self.tick_seconds = 0.0
        self.sums: dict[str, Tensor] = {}
        self.counts: dict[str, int] = {}

    def autocast(self) -> torch.autocast:
        """The context for the forward passes: bf16 where that is chosen."""
        return torch.autocast(self.device.type, torch.bfloat16, enabled=self.precision == "bf16")

    def small_parts(self) -> str:
        """What to say of a batch whose parts are too small for layers that look at a whole batch; '': nothing."""
        part = self.config.batch // distributed.size()
        networks = (self.task.generator, self.task.discriminator)
        normed = any(isinstance(m, nn.modules.batchnorm._BatchNorm) for n in networks for m in n.modules())
        if distributed.size() == 1 or part >= FEW or not normed:
            return ""
        return (
            f"batch={self.config.batch} gives each of the {distributed.size()} processes {part} at a time, and batch "
            f"norm takes its mean and deviation from these alone: pictures get worse below {FEW}. Choose "
            f"batch={FEW * distributed.size()} or more, or fewer processes."
        )

    def step(self, batch: Batch) -> None:
        """One discriminator step and one generator step on a batch, or on this rank's part of it."""
        config, task = self.config, self.task
        batch = dataclasses.replace(batch, progress=self.images / config.images)
        number = seeds.key(config.seed, "step", self.images)
        # each rank has its own random numbers, so that dropout masks differ
        seeds.seed_all(number if batch.ranks == 1 else seeds.key(number, batch.rank), self.device)
        rate = self.rate()
        for optimizer, lr in ((self.optimizer_d, config.lr_d), (self.optimizer_g, config.lr_g)):
            optimizer.param_groups[0] |= {"lr": lr * rate, "betas": self.betas(self.images)}

        with self.autocast():
            losses_d = task.discriminator_loss(batch)
        if losses_d is not None:
            self.optimizer_d.zero_grad()
            losses_d["total"].backward()
            distributed.average(gradients(task.discriminator))
            self.optimizer_d.step()

        with frozen(self.trained_d):
            with self.autocast():
                losses_g = task.generator_loss(batch)
            if losses_g is not None:
                self.optimizer_g.zero_grad()
                losses_g["total"].backward()
            logged = {k: v.detach() for k, v in {**(losses_d or {}), **(losses_g or {})}.items() if k != "total"}
            gradients_g = gradients(task.generator) if losses_g is not None else ()
            distributed.average(itertools.chain(gradients_g, self.statistics(), logged.values()))
            task.update(logged)
            if losses_g is not None:
                if config.clip_g:
                    nn.utils.clip_grad_norm_(task.generator.parameters(), config.clip_g)
                self.optimizer_g.step()

        self.images += config.batch
        if config.ema:
            ema.update(self.average, task.generator, config.batch, self.images, config.ema, config.ema_ramp)
        for name, value in logged.items():
            self.note(name, value)

    def probe(self, batches: Batches) -> None:
        """Log the discriminator's accuracy on some held-out images, in training mode, and let the task adapt."""
        seeds.seed_all(seeds.key(self.config.seed, "probe", self.images), self.device)
        with torch.no_grad(), self.autocast():
            held_out = batches.held_out(PROBE, start=self.images)
            accuracy = self.task.accuracy(held_out, self.sampler())
            train, since = batches.seen(PROBE, start=self.images), self.images - self.probed
            adapted = self.task.adapt(self.sampler(), train, held_out, since)
        self.probed = self.images
        measured = {"accuracy_held_out": accuracy["real"]} if accuracy else {}
        for name, value in {**measured, **adapted}.items():
            self.note(name, value)

    def statistics(self) -> Iterator[Tensor]:
        """Running statistics such as those of batch norm, which each rank computes from its own part of the batch."""
        networks = (self.task.generator, self.task.discriminator)
        return (b for network in networks for b in network.buffers() if b.is_floating_point())

    def note(self, name: str, value: Tensor) -> None:
        """Add a value to a running mean of the log."""
        self.sums[name] = self.sums.get(name, 0) + value
        self.counts[name] = self.counts.get(name, 0) + 1

    def rate(self) -> float:
        """The factor of the learning rates now: 1, then falling linearly to 0 at the end."""
        start, end = self.config.decay_from * self.config.images, self.config.images
        return 1.0 if self.images <= start else max(0.0, (end - self.images) / ((end - start) or 1))

    def betas(self, images: int) -> tuple[float, float]:
        """Adam's decay rates after so many images; the second one rises. Source: Huang et al. 2024, appendix B."""
        c = self.config
        progress = min(1.0, images / (c.burn_in * c.images)) if c.burn_in and c.beta2_from else 1.0
        return float(c.beta1), c.beta2 + (c.beta2_from - c.beta2) * (1 + math.cos(math.pi * progress)) / 2

    def sampler(self) -> nn.Module:
        """The network for previews and models: the averaged generator, or without averaging the generator itself."""
        return self.average if self.config.ema else self.task.generator

    def means(self) -> dict[str, float]:
        """The means of all values noted since the last call."""
        means = {name: float(total) / self.counts[name] for name, total in self.sums.items()}
        self.sums, self.counts = {}, {}
        return means

    def tensors(self) -> dict[str, Tensor]:
        """All tensors of a snapshot."""
        return {
            **checkpoint.module_tensors("generator", self.task.generator),
            **checkpoint.module_tensors("discriminator", self.task.discriminator),
            **checkpoint.module_tensors("average", self.average),
            **checkpoint.optimizer_tensors("optimizer_g", self.optimizer_g),
            **checkpoint.optimizer_tensors("optimizer_d", self.optimizer_d),
            **{f"sums.{name}": value for name, value in self.sums.items()},
            **{f"dials.{name}": value for name, value in self.task.state.items()},
        }

    def digest(self) -> str:
        """A digest of both networks and the average."""
        modules = {"g": self.task.generator, "d": self.task.discriminator, "average": self.average}
        tensors = {k: t.cpu() for name, m in modules.items() for k, t in checkpoint.module_tensors(name, m).items()}
        return checkpoint.digest(tensors, "")

    def card(self) -> dict[str, Any]:
        """What a snapshot holds besides tensors."""
        return {
            "images": self.images,
            "probed": self.probed,
            "seconds": self.seconds,
            "tick_seconds": self.tick_seconds,
            "counts": self.counts,
            "machine": self.machine(),
        }

    def machine(self) -> dict[str, Any]:
        """What bitwise repeatability depends on besides the settings."""
        return {
            "device": self.device.type,
            "precision": self.precision,
            "threads": torch.get_num_threads(),
            "ranks": distributed.size(),
            "torch": torch.__version__,
        }

    def restore(self, path: Path, tensors: dict[str, Tensor], card: dict[str, Any]) -> None:
        """Restore the state of a snapshot.

        Raises:
            UserError: it is damaged or belongs to another training; the trainer must then not be used.
        """
        clock: dict[str, Any] = {name: card.get(name) for name in ("images", "seconds", "tick_seconds")}
        clock |= {"probed": card.get("probed", clock["images"])}  # older snapshots have none
        for name, value in clock.items():
            types = (int, float) if "seconds" in name else (int,)
            if type(value) not in types or not 0 <= value <= LARGEST:
                raise checkpoint.Damaged(f"{path} is not a complete snapshot: {name} in its card is {str(value)[:40]}.")
        counts, sums = card.get("counts"), checkpoint.part(tensors, "sums")
        if not isinstance(counts, dict) or counts.keys() != sums.keys() or not isinstance(card.get("machine"), dict):
            raise checkpoint.Damaged(f"{path} is not a complete snapshot: its card lacks counts or machine.")
        if any(type(n) is not int or n < 1 for n in counts.values()) or any(t.numel() != 1 for t in sums.values()):
            raise checkpoint.Damaged(f"{path} is not a complete snapshot: its running means are invalid.")
        saved, current = checkpoint.part(tensors, "dials"), self.task.state
        if any(
            name not in current
            or (current[name].dim(), current[name].shape[1:]) != (t.dim(), t.shape[1:])  # pools grow in length
            for name, t in saved.items()
        ):
            raise checkpoint.Damaged(f"{path} is not a snapshot of this task: its dials are {', '.join(saved)[:60]}.")
        checkpoint.check_finite(path, {f"dials.{name}": t for name, t in saved.items()})
        checkpoint.load_module("generator", self.task.generator, tensors, path)
        checkpoint.load_module("discriminator", self.task.discriminator, tensors, path)
        checkpoint.load_module("average", self.average, tensors, path)
        checkpoint.load_optimizer("optimizer_g", self.optimizer_g, tensors, path)
        checkpoint.load_optimizer("optimizer_d", self.optimizer_d, tensors, path)
        self.images, self.probed = clock["images"], clock["probed"]
        self.seconds, self.tick_seconds, self.counts = clock["seconds"], clock["tick_seconds"], dict(counts)
        current.update(saved)
        self.sums = {name: sums[name].reshape(()).to(self.device) for name in counts}  # in the log's order

    def is_finite(self) -> bool:
        """Are all weights and statistics of the networks and the average finite numbers?"""
        return all(map(is_finite, (self.task.generator, self.task.discriminator, self.average)))


def is_finite(network: nn.Module) -> bool:
    """Are all weights and statistics of a network finite numbers?"""
    return all(bool(torch.isfinite(t).all()) for t in network.state_dict().values())
