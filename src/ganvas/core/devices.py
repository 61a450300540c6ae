"""Copies between a CPU and a GPU for which neither waits, a GPU's precision, and the CPU's memory."""

from __future__ import annotations

import contextlib
import ctypes

import torch
from torch import Tensor

M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3  # of glibc's malloc.h
KEPT = 2**30  # bytes
SHARE = 0.25  # of a GPU's free memory that training data may take


def upload(tensor: Tensor, device: torch.device) -> Tensor:
    """A tensor of the CPU on a device.

    To a GPU it is copied from pinned memory: otherwise the CPU would wait until the GPU has done all that it was given.
    """
    if device.type != "cuda" or tensor.device.type != "cpu":
        return tensor.to(device)
    return tensor.pin_memory().to(device, non_blocking=True)


class Download:
    """A tensor's copy on the CPU that begins now, into pinned memory where the tensor is on a GPU.

    `numbers` may be read after `wait()`.
    """

    def __init__(self, tensor: Tensor) -> None:
        self.on_cpu = tensor.device.type != "cuda"
        if self.on_cpu:
            self.numbers = tensor.detach().to("cpu", copy=True)
            return
        self.numbers = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        self.numbers.copy_(tensor.detach(), non_blocking=True)
        self.event = torch.cuda.Event()
        self.event.record()

    def wait(self) -> None:
        """Wait until the numbers are there."""
        if not self.on_cpu:
            self.event.synchronize()


def fits(bytes_needed: int, device: torch.device) -> bool:
    """Does training data of so many bytes fit on a GPU, with room for the training? Never on other devices."""
    if device.type != "cuda":
        return False
    free, _ = torch.cuda.mem_get_info(device)
    return bytes_needed <= SHARE * free


def best() -> torch.device:
    """The GPU of this process, or the CPU; where the GPU multiplies, float32 numbers are not shortened from now on.

    For networks that are used and not trained: a seed gives the same picture, and a model the same metrics. The CPU's
    memory is kept.
    """
    device = torch.device("cuda", torch.cuda.current_device()) if torch.cuda.is_available() else torch.device("cpu")
    set_precision(device, "fp32")
    if device.type == "cpu":
        keep_freed()
    return device


def set_precision(device: torch.device, precision: str) -> None:
    """Let a GPU multiply float32 numbers as they are (fp32), or with 10 bits after the point (TF32), which is several
    times as fast, where the training itself computes in bf16, with 7. Torch's own default is TF32 in convolutions only.
    """
    if device.type == "cuda":
        shortened = precision == "bf16"
        torch.backends.cuda.matmul.allow_tf32 = shortened
        torch.backends.cudnn.allow_tf32 = shortened


def keep_freed() -> None:
    """Keep the memory that is freed on the CPU for what comes next, where the C library is glibc (mallopt(3)).

    By default large blocks go back to the system and come back as new pages, an eighth of a step of `classic-dcgan`
    (docs/log.md, 2026-11-30).
    """
    with contextlib.suppress(AttributeError, OSError, TypeError):  # another C library
        mallopt = ctypes.CDLL(None).mallopt
        for name in (M_TRIM_THRESHOLD, M_MMAP_THRESHOLD):
            mallopt(name, KEPT)
