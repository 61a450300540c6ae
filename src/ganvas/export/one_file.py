"""A page of `ganvas export --web` in one HTML file, which opens without a web server and without the network.

Its scripts are modules in an import map, as addresses that hold them; all other files stand in it compressed, and
`shared.js` unpacks them.
"""

from __future__ import annotations

import base64
import gzip
import re
import tempfile
from pathlib import Path

from ganvas.core.errors import UserError
from ganvas.core.files import write_whole
from ganvas.core.model import TrainedModel
from ganvas.export.onnx import LOADER, Exported, web

MODULES = {"ort": LOADER, "shared": "shared.js"}  # the scripts by the names that others import them by
MOST = 100_000_000  # bytes of a page: browsers are slow with larger ones


def page(model: TrainedModel) -> bytes:
    """The page that draws with this model.

    Raises:
        UserError: as `onnx.web`; or the page would be too large.
    """
    with tempfile.TemporaryDirectory(prefix="ganvas-page-") as folder:
        web(model, Path(folder) / "page")
        files = {path.name: path.read_bytes() for path in sorted((Path(folder) / "page").iterdir())}
    content = together(files)
    if len(content) > MOST:
        raise UserError(f"The page would have {len(content) // 1_000_000} MB. Export it as a folder: --web DIR.")
    return content


def write(model: TrainedModel, file: Path) -> list[Exported]:
    """Write the page. Raises as `page`."""
    write_whole(file, page(model))
    return [Exported(file)]


def together(files: dict[str, bytes]) -> bytes:
    """The files of a page, by name, as one HTML file."""
    files = dict(files)
    html, style, script = (files.pop(name).decode() for name in ("index.html", "page.css", "page.js"))
    modules = {name: _script(files.pop(file).decode()) for name, file in MODULES.items()}
    notice = files.pop("NOTICE").decode().replace("--", "- -")
    imports = ",".join(f'"{name}":"data:text/javascript;base64,{_text(code)}"' for name, code in modules.items())
    inside = "\n".join(
        f'<script type="application/gzip" id="file:{name}">{_text(gzip.compress(content, mtime=0))}</script>'
        for name, content in files.items()
    )
    html = re.sub(r"<link rel=\"preload\"[^>]*>\n", "", html)
    html = html.replace('<link rel="stylesheet" href="page.css">', f"<style>\n{style}</style>")
    tail = f'<!--\n{notice}-->\n{inside}\n<script type="importmap">{{"imports":{{{imports}}}}}</script>\n'
    own = _script(script).decode()
    tail += f'<script type="module">\n{own}</script>'
    return html.replace('<script type="module" src="page.js"></script>', tail).encode()


def _script(text: str) -> bytes:
    """A script that imports others by their names in the import map."""
    for name, file in MODULES.items():
        text = text.replace(f"'./{file}'", f"'{name}'")
    return text.encode()


def _text(content: bytes) -> str:
    return base64.b64encode(content).decode()
