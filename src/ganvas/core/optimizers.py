"""The optimizers: torch's own without its compiler, and Muon, whose steps are orthogonal matrices.

torch's import the compiler to keep it away from themselves, which takes two seconds per process. Nothing in Ganvas is
compiled. Their numbers and states are torch's own, bit for bit.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable

import torch
from torch import Tensor, nn

SMALLEST = 16  # rows and columns of a matrix that gets orthogonal steps: not that of a picture's colours
STEPS = 3  # of the iteration: 5 gave the same quality (docs/log.md, 2026-11-30)
A, B, C = 3.4445, -4.7750, 2.0315  # of its polynomial
SIZE = 0.2  # of a step's root mean square: that of Adam's usual steps, so that the same rates suit

_Optimizer = torch.optim.Optimizer


class _Uncompiled(_Optimizer):
    """The methods of every optimizer as torch wrote them, without the wrappers that import the compiler."""

    add_param_group = inspect.unwrap(_Optimizer.add_param_group)
    load_state_dict = inspect.unwrap(_Optimizer.load_state_dict)
    state_dict = inspect.unwrap(_Optimizer.state_dict)
    zero_grad = inspect.unwrap(_Optimizer.zero_grad)


class Adam(_Uncompiled, torch.optim.Adam):
    """`torch.optim.Adam`; its steps cannot be differentiated."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.Adam.step))

    def keeps(self, weight: Tensor) -> set[str]:
        """The names of what is kept of a weight from step to step."""
        return {"step", "exp_avg", "exp_avg_sq"}


class Muon(Adam):
    """Momentum whose matrix is made orthogonal before each step; Adam for biases and small matrices.

    A layer's weight is the matrix of its outputs and inputs. Its gradient mostly points in few directions, and an
    orthogonal step moves as far in all of them. Source: Jordan et al. 2024, "Muon: an optimizer for hidden layers";
    the size of a step: Liu et al. 2025, "Muon is scalable for LLM training", section 2.2. The momentum is Adam's first
    decay rate.
    """

    def __init__(
        self, weights: Iterable[nn.Parameter], lr: float, betas: tuple[float, float], dtype: torch.dtype, **more: bool
    ) -> None:
        """`dtype`: of the matrix products."""
        super().__init__(weights, lr, betas, **more)
        self.dtype = dtype
        self.matrices = [w for w in self.param_groups[0]["params"] if w.ndim > 1 and min(_sides(w)) >= SMALLEST]
        self.known = set(map(id, self.matrices))

    @torch.no_grad()
    def step(self) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        gradients = [(weight, weight.grad) for weight in self.matrices if weight.grad is not None]
        for weight, _ in gradients:
            weight.grad = None  # Adam leaves it as it is
        super().step()
        rate, (momentum, _) = self.param_groups[0]["lr"], self.param_groups[0]["betas"]
        for weight, gradient in gradients:
            weight.grad = gradient
            kept = self.state[weight]
            if not kept:
                kept["exp_avg"] = torch.zeros_like(weight)
                kept["step"] = torch.zeros((), device=weight.device)  # torch's Adam cannot load a state without it
            kept["step"] += 1
            kept["exp_avg"].lerp_(gradient, 1 - momentum)
            ahead = gradient.lerp(kept["exp_avg"], momentum)  # Nesterov's
            weight.add_(orthogonal(ahead, self.dtype), alpha=-rate * SIZE * max(_sides(weight)) ** 0.5)

    def keeps(self, weight: Tensor) -> set[str]:
        return {"step", "exp_avg"} if id(weight) in self.known else super().keeps(weight)


def _sides(weight: Tensor) -> tuple[int, int]:
    """Rows and columns of a layer's weight as a matrix: outputs, and inputs times the places of a kernel."""
    return weight.shape[0], weight[0].numel()


def orthogonal(weight: Tensor, dtype: torch.dtype) -> Tensor:
    """Nearly the orthogonal matrix that is closest to a weight [outputs, inputs, ...], float32 in the same shape.

    Singular values of at least a hundredth of the weight's norm end between .3 and 1.3, smaller ones grow fortyfold.
    Source: Jordan et al. 2024, the Newton-Schulz iteration.
    """
    rows = weight.movedim(1, -1)  # as weights are kept in memory; the order of columns does not matter
    x = rows.flatten(1)
    wide = x.shape[0] <= x.shape[1]
    x = x if wide else x.T
    x = (x / x.norm().clamp_min(1e-12)).to(dtype)
    for _ in range(STEPS):
        square = x @ x.T
        x = torch.addmm(x, torch.addmm(square, square, square, beta=B, alpha=C), x, beta=A)
    return (x if wide else x.T).to(weight.dtype).reshape(rows.shape).movedim(-1, 1)


class AdamW(_Uncompiled, torch.optim.AdamW):
    """`torch.optim.AdamW`; its steps cannot be differentiated."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))


class SGD(_Uncompiled, torch.optim.SGD):
    """`torch.optim.SGD`; its steps cannot be differentiated."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.SGD.step))
