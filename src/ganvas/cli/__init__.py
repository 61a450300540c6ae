"""The command `ganvas`. Importing this does not import torch: the help answers at once."""

import contextlib
import importlib
import importlib.util

from ganvas.cli import data, evaluate, share, studio, train  # noqa: F401  # each adds its commands
from ganvas.cli.main import main
from ganvas.core import registry
from ganvas.core.console import app

for name in registry.command_modules():  # each task adds its own
    with contextlib.suppress(ModuleNotFoundError):  # a missing package: an error comes when its task is used
        if importlib.util.find_spec(name):
            importlib.import_module(name)

__all__ = ["app", "main"]
