"""Sharing trained models: `ganvas export`, `push` and `info`."""

from __future__ import annotations

from pathlib import Path

from ganvas.core.console import Force, app, show_settings
from ganvas.core.errors import UserError
from ganvas.core.terminal import say
from ganvas.core.text import command, one_line


@app.command
def export(model: Path, *, out: Path | None = None, web: Path | None = None, force: Force = False) -> int:
    """Export the networks: as ONNX files, or as a page that draws in the visitor's browser.

    Parameters
    ----------
    model
        A run's folder or a model file.
    out
        A folder for generator.onnx and detector.onnx (of tables: with a program that draws rows), each compared with
        torch.
    web
        A folder for a static page; any web server will do: python -m http.server. Or FILE.html: all in one file, which
        opens without a server.
    force
        Overwrite what an earlier call wrote there.
    """
    from ganvas.core import model as models
    from ganvas.core.files import check_free
    from ganvas.export import one_file
    from ganvas.export import onnx as exporting

    if out is None and web is None:
        raise UserError("Say what to export: --out DIR for ONNX files, --web DIR for a page.")
    loaded = models.load(model)
    exports = loaded.exports()
    if web is not None and exports.page is None:
        raise UserError(
            f"{model} does not draw from noise, and there are no pages for other models yet. Use --out DIR."
        )
    alone = web if web is not None and web.suffix.lower() in (".html", ".htm") else None
    folder = web if alone is None else None
    exporting.check(loaded, out, folder, force)
    check_free(*([] if alone is None else [alone]), force=force)
    written = exporting.export(loaded, out, force) if out else []
    if alone is not None:
        written += one_file.write(loaded, alone)
    elif folder is not None:
        written += exporting.web(loaded, folder, force)
    for file in written:
        compared = f"  (largest difference from torch {file.difference:.1e})" if file.path.suffix == ".onnx" else ""
        say(f"{file.path}{compared}")
    if exports.note:
        say(exports.note)
    if folder is not None:
        say(f"Look at it: {command('python', '-m', 'http.server', '--directory', folder)}")
    return 0


@app.command
def push(model: Path, target: str, *, force: Force = False) -> int:
    """Upload a model to the Hugging Face hub, with its card as README; load it there as hf://user/name.

    Parameters
    ----------
    model
        A run's folder or a model file.
    target
        hf://user/name; or a folder (./name), to write there what would be uploaded.
    force
        Overwrite what is in that folder.
    """
    from ganvas.core import model as models
    from ganvas.core.locate import is_remote, remote_name
    from ganvas.export import hub

    place = hub.push(models.load(model), target, force)
    if is_remote(target):
        say(f"Uploaded: https://huggingface.co/{remote_name(target)}")
    else:
        say(f"Wrote what would be uploaded to {place}")
    return 0


@app.command
def info(model: Path) -> int:
    """Describe a run or model file: data, networks, settings, how far it was trained.

    Parameters
    ----------
    model
        A run's folder or a model file.
    """
    from ganvas.core import model as models
    from ganvas.export import model_card

    loaded = models.load(model)
    say(f"{one_line(loaded.path)}\n")
    for name, text in model_card.facts(loaded).items():
        say(f"  {name:<18} {one_line(text)}")
    more = [(section.title, section.lines) for section in model_card.sections(loaded)]
    for title, lines in [("Figures", model_card.figures(loaded)), *more]:
        if lines:
            say(f"\n{title}")
        for line in lines:
            say(f"  {one_line(line)}")
    for sentence in model_card.remarks(loaded):
        say(f"\n{one_line(sentence)}")
    say("\nSettings")
    show_settings(loaded.card)
    return 0
