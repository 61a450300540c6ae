"""torch's optimizers without its compiler, which they import to keep it away from themselves: two seconds per process.

Nothing in Ganvas is compiled. The numbers and the states are torch's own, bit for bit.
"""

from __future__ import annotations

import inspect

import torch

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


class AdamW(_Uncompiled, torch.optim.AdamW):
    """`torch.optim.AdamW`; its steps cannot be differentiated."""

    step = torch.no_grad()(inspect.unwrap(torch.optim.AdamW.step))
