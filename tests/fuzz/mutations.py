"""Seeded damage to files: to bytes, to JSON, and to the card of a file whose digest is then made right again."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from ganvas.core import checkpoint

DEEP = "lists in lists in lists"  # stands for so many that no program can write them
LEVELS = 100_000
ODD: list[Callable[[], Any]] = [  # values in places where they do not belong
    lambda: None,
    lambda: True,
    lambda: 0,
    lambda: -28,
    lambda: 2**40,
    lambda: 10**400,
    lambda: 0.5,
    lambda: float("nan"),
    lambda: float("inf"),
    lambda: "",
    lambda: "x" * 5_000,
    lambda: "..",
    lambda: "\ud800",
    lambda: "\x1b[31mred\x07",
    lambda: [],
    lambda: {},
    lambda: [[1, 2], {"a": None}],
    lambda: {"name": "x", "size": 1},
    lambda: DEEP,
]


def of_bytes(data: bytes, draw: random.Random) -> bytes:
    """One to three pieces of damage: bits turned, spans lost, repeated, moved, cleared or made up, a cut end."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 1, 2, 3))):
        end = len(changed)
        at = draw.randrange(end) if end else 0
        span = min(draw.choice((1, 2, 4, 8, 64, 1_000)), end - at)
        piece = bytes(changed[at : at + span])
        kind = draw.randrange(9)
        if kind == 0 and end:
            changed[at] ^= 1 << draw.randrange(8)
        elif kind == 1:
            changed[at : at + span] = draw.randbytes(span)
        elif kind == 2:
            del changed[at : at + span]
        elif kind == 3:
            changed[at:at] = piece
        elif kind == 4:
            changed[at : at + span] = bytes(span)
        elif kind == 5:
            changed[at : at + span] = b"\xff" * span
        elif kind == 6:
            del changed[at:]
        elif kind == 7:
            changed += draw.randbytes(draw.choice((1, 10, 500)))
        else:
            other = draw.randrange(end) if end else 0
            changed[other : other + span] = piece
    return bytes(changed)


def of_value(value: Any, draw: random.Random) -> Any:
    """A value of JSON in which something is of another kind, missing, renamed, doubled, or there for no reason."""
    if isinstance(value, dict) and value and draw.random() < 0.85:
        key = draw.choice(sorted(value))
        kind = draw.randrange(6)
        if kind == 0:
            return {k: v for k, v in value.items() if k != key}
        if kind == 1:
            return {(k[:-1] + "z" if k == key else k): v for k, v in value.items()}
        if kind == 2:
            return {**value, "surplus": draw.choice(ODD)()}
        return {**value, key: of_value(value[key], draw)}
    if isinstance(value, list) and value and draw.random() < 0.7:
        at = draw.randrange(len(value))
        return draw.choice(
            [
                value[:at],
                value[at + 1 :],
                [*value, value[at]],
                [*value[:at], of_value(value[at], draw), *value[at + 1 :]],
            ]
        )
    return draw.choice(ODD)()


def of_json(data: bytes, draw: random.Random) -> bytes:
    """A text of JSON, or of lines of JSON, that says something odd; now and then damage of its bytes instead."""
    if draw.random() < 0.3:
        return of_bytes(data, draw)
    with contextlib.suppress(ValueError):
        return written(of_value(json.loads(data), draw))
    lines = data.split(b"\n")
    at = draw.randrange(max(1, len(lines) - 1))
    with contextlib.suppress(ValueError):
        return b"\n".join([*lines[:at], written(of_value(json.loads(lines[at]), draw)), *lines[at + 1 :]])
    return of_bytes(data, draw)  # it is no JSON


def written(value: Any) -> bytes:
    return json.dumps(value).replace(f'"{DEEP}"', "[" * LEVELS + "]" * LEVELS).encode()


def of_checkpoint(path: Path, draw: random.Random) -> None:
    """A model file or snapshot by someone who knows the digest: an odd card, or odd tensors."""
    tensors, card = checkpoint.load(path)
    name = draw.choice(sorted(tensors))
    tensor = tensors[name]
    kind = draw.randrange(8)
    if kind == 0:
        tensors[name] = tensor.to(draw.choice((torch.float16, torch.float64, torch.bfloat16, torch.int8)))
    elif kind == 1:
        tensors[name] = tensor.flatten()[: draw.randrange(3)]
    elif kind == 2 and tensor.is_floating_point():
        tensors[name] = torch.full_like(tensor, draw.choice((float("nan"), float("inf"))))
    elif kind == 3:
        del tensors[name]
    elif kind == 4:
        tensors[draw.choice(("surplus", "selector.x", "optimizer_g.99999.step", "dials.x", "sums.x", ""))] = tensor
    else:
        forged = of_value(card, draw)
        whole = {"format": 1, **forged} if isinstance(forged, dict) and draw.random() < 0.9 else forged
        write_forged(path, tensors, written(whole).decode())
        return
    write_forged(path, tensors, json.dumps({"format": 1, **card}))


def write_forged(path: Path, tensors: dict[str, torch.Tensor], text: str) -> None:
    """A file whose digest fits whatever its card says."""
    import safetensors.torch

    text = text.encode("utf-8", "replace").decode()
    head = {"ganvas": f"{checkpoint.digest(tensors, text)} {text}"}
    path.write_bytes(safetensors.torch.save({k: t.contiguous().clone() for k, t in tensors.items()}, head))
