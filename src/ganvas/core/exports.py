"""What a trained model can be exported as: networks for other programs, and a page for browsers.

A task says what there is; `ganvas.export` writes the files.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn


@dataclass(frozen=True)
class OnnxNetwork:
    """A network that is written as an ONNX file.

    `inputs`: example inputs of a batch of n, the same for equal n; they are traced, and compared with torch.
    `names`: of these inputs. `output`: the name of what comes out, or the names.
    `card`: what another program must know, kept as JSON in the file's metadata.
    `open_axes`: the axes of each input that may have other sizes, in the form of torch.export; None: only the batch.
    `close`: the largest difference from torch that is allowed; 0: the usual one.
    `graph`: makes the ONNX model by itself (onnx.ModelProto); None: the network is traced.
    """

    file: str
    network: nn.Module
    inputs: Callable[[int], tuple[Tensor, ...]]
    names: tuple[str, ...]
    output: str | tuple[str, ...]
    card: dict[str, Any]
    open_axes: dict[int, Any] | None = None
    close: float = 0.0
    graph: Callable[[], Any] | None = None


@dataclass(frozen=True)
class Page:
    """A static page that runs networks in the visitor's browser.

    `files`: the content of all its other files by name; `model.json` is among them and marks the folder as a page.
    """

    networks: tuple[OnnxNetwork, ...]
    files: Callable[[], dict[str, bytes]]


@dataclass(frozen=True)
class Exports:
    """All that a model can be exported as.

    `note`: what an export lacks, in a sentence. `files`: the content of files that are written next to the networks.
    """

    networks: tuple[OnnxNetwork, ...] = ()
    page: Page | None = None
    note: str = ""
    files: Callable[[], dict[str, bytes]] = dict
