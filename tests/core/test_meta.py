"""Networks of sizes alone have the sizes of those of numbers, and cost no import of torch's compiler."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import quick
from torch import nn

from ganvas.api import RECIPES
from ganvas.core import meta
from ganvas.training.task import build

BUILT = """
import json, sys
from ganvas.training.experiment import Experiment
for name in sys.argv[1:]:
    experiment = Experiment.from_dict(json.load(open(name)))
    experiment.build(experiment.load_data().spec)
print(*{"torch._dynamo", "sympy"} & {*sys.modules})
"""


def shapes(network: nn.Module) -> dict[str, tuple[torch.Size, torch.dtype]]:
    return {name: (value.shape, value.dtype) for name, value in network.state_dict().items()}


@pytest.mark.parametrize("recipe", sorted(RECIPES))
def test_sizes_are_those_of_the_networks(recipe: str, blobs: Path) -> None:
    experiment = quick(recipe, blobs)
    spec = experiment.kind.network_spec(experiment.load_data().spec, experiment.task)
    with meta.sizes_only():
        sketched = build(experiment.kind, experiment.network, spec)
    for ours, built in zip(sketched, build(experiment.kind, experiment.network, spec), strict=True):
        assert shapes(ours) == shapes(built)


def test_no_task_needs_the_compiler(blobs: Path, tmp_path: Path) -> None:
    """In a process of its own: what another test imported does not count."""
    recipes = ("mnist", "denoise", "translate", "table")
    for recipe in recipes:
        (tmp_path / recipe).write_text(json.dumps(quick(recipe, blobs).to_dict()))
    done = subprocess.run([sys.executable, "-c", BUILT, *recipes], cwd=tmp_path, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "\n"), done.stderr
