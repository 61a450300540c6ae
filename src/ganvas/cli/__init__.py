"""The command `ganvas`. Importing this does not import torch: the help answers at once."""

from ganvas.cli import data, drawing, measuring, mending, studio, training, using  # noqa: F401  # each adds its commands
from ganvas.cli.app import app, main

__all__ = ["app", "main"]
