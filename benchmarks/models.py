"""Make the files of the models that come with Ganvas, from runs that were trained as their cards say.

    ganvas train mnist --run runs/mnist
    python benchmarks/models.py runs/mnist mnist

`benchmarks/photographs.py` has the commands for the restorer.
The networks are stored with half precision, a detector as it is. Of a model that the game is played with some games
are dealt (`NAME.games.json`): the studio needs them while it starts. `tests/core/test_shipped.py` holds the digests.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch

from ganvas.core import checkpoint, shipped
from ganvas.core import model as models
from ganvas.core.locate import locate
from ganvas.core.shipped import FOLDER
from ganvas.studio.api_models import data_url
from ganvas.studio.games import PICTURES
from ganvas.tasks.generate.model import Model
from ganvas.tasks.generate.studio import game

HALVED = ("generator.", "discriminator.")
GAMES = 6  # that are dealt


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("run", type=Path, help="a run's folder")
    parser.add_argument("name", help="the model's name")
    parser.add_argument("--data", help="what the card calls the data; without it the name of the folder")
    parser.add_argument("--licence", help="of the data, where the card does not state it")
    given = parser.parse_args()
    tensors, card = checkpoint.load(locate(given.run))
    if given.data:
        card["data_name"] = card["data"]["source"] = given.data
    if given.licence:
        card["licence"] = given.licence
    for name, tensor in tensors.items():
        if name.startswith(HALVED) and tensor.is_floating_point():
            tensors[name] = tensor.to(torch.float16)
    target = FOLDER / f"{given.name}.safetensors"
    checkpoint.save(target, tensors, card)
    print(f"{target}: {target.stat().st_size / 1e6:.2f} MB")
    model = models.load(target, "cpu")
    if "play" in model.abilities:
        deal_games(model, shipped.games(given.name))


def deal_games(model: Model, file: Path) -> None:
    """Deal the games that are played while the studio's worker still starts."""
    games = []
    for seed in range(GAMES):
        dealt = game.deal(model, seed, PICTURES, lambda _: None)
        games.append({"seed": seed, **dealt, "pictures": [data_url(picture) for picture in dealt["pictures"]]})
    file.write_text(json.dumps({"games": games}) + "\n")
    print(f"{file}: {file.stat().st_size / 1e3:.0f} kB")


if __name__ == "__main__":
    main()
