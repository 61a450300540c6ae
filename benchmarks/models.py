"""Make the files of the models that come with Ganvas, from runs that were trained as their cards say.

    ganvas train mnist --run runs/mnist
    python benchmarks/models.py runs/mnist mnist

The networks are stored with half precision, a detector as it is. `tests/core/test_shipped.py` holds the digests.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from ganvas.core import checkpoint
from ganvas.core.locate import locate
from ganvas.core.shipped import FOLDER

HALVED = ("generator.", "discriminator.")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("name", help="the model's name")
    given = parser.parse_args()
    tensors, card = checkpoint.load(locate(given.run))
    for name, tensor in tensors.items():
        if name.startswith(HALVED) and tensor.is_floating_point():
            tensors[name] = tensor.to(torch.float16)
    target = FOLDER / f"{given.name}.safetensors"
    checkpoint.save(target, tensors, card)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
