"""Handing a trained model on: ONNX files, a page for the browser, a model card, a hub.

`ganvas.export` is this folder, and to a script the function `export.onnx.export`: the folder can be called.
"""

from __future__ import annotations

import sys
import types
from typing import Any


class _Folder(types.ModuleType):
    def __call__(self, *arguments: Any, **options: Any) -> Any:
        """See `export.onnx.export`."""
        from ganvas.export.onnx import export

        return export(*arguments, **options)


sys.modules[__name__].__class__ = _Folder
