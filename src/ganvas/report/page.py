"""report.html: a run's folder told to a person. One file that needs no network and nothing beside it."""

from __future__ import annotations

import base64
import math
import shlex
from datetime import datetime
from html import escape
from pathlib import Path
from statistics import fmean
from types import ModuleType
from typing import Any

from ganvas.core import checkpoint
from ganvas.core.errors import UserError
from ganvas.core.files import read_bytes, write_whole
from ganvas.core.run import Run
from ganvas.report import diagnosis
from ganvas.report.charts import chart
from ganvas.report.diagnosis import FIGURES, Rows, number
from ganvas.tasks.generate.detect.detector import why_none_in
from ganvas.tasks.restore import report as restore_report
from ganvas.tasks.translate import report as translate_report

PICTURES, BYTES = 40, 12_000_000  # sheets in the slider, what they may take
CSS = """
:root{color-scheme:light dark;--bg:#f6f5f2;--card:#fff;--ink:#1d2126;--soft:#5b636d;--line:#dfdcd5;--code:#efede8;
--a:#1f66c7;--b:#c2510a;--c:#23774b}*{box-sizing:border-box}figure,dd{margin:0}h3,p{margin:0 0 .5rem}
@media(prefers-color-scheme:dark){:root{--bg:#14171b;--card:#1d2126;--ink:#e9eaec;--soft:#a5adb7;--line:#353b43;
--code:#282e35;--a:#74b0ff;--b:#ff9d5c;--c:#6fce9b}}h1{font-size:1.9rem;line-height:1.2;margin:0 0 .3rem}body{margin:0;
background:var(--bg);color:var(--ink);font:16px/1.55 system-ui,"Segoe UI",Roboto,sans-serif}main{max-width:1200px;
margin:auto;padding:2.2rem 1.2rem 4rem}h2{font-size:1.3rem;margin:2.6rem 0 .8rem}h1,pre,td:only-of-type{
overflow-wrap:anywhere}dd,td,text{font-variant-numeric:tabular-nums}h3{font-size:1rem}p,li{max-width:76ch}.verdict{
font-weight:600}.soft,figcaption,dt{color:var(--soft)}figcaption,dt,.legend{font-size:.88rem}dd,.verdict{
font-size:1.15rem}.grid{display:grid;gap:1.2rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,430px),1fr))}
.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:1.1rem;min-width:0}.tiles{
display:flex;flex-wrap:wrap;gap:.4rem 2.4rem;margin:1rem 0 .6rem}progress{width:100%;accent-color:var(--a)}.sheet,svg{
display:block;width:100%;height:auto}.sheet{border-radius:4px;margin-bottom:.5rem}.pixels{image-rendering:pixelated}
#time{display:flex;gap:.8rem;align-items:center;margin:.7rem 0}#time[hidden]{display:none}#time input{flex:1;
min-width:0;accent-color:var(--a)}:focus-visible{outline:2px solid var(--a);outline-offset:2px}button{font:inherit;
color:inherit;background:var(--code);border:1px solid var(--line);border-radius:6px;padding:.3rem;width:5rem}#film{
display:grid;gap:.8rem;grid-template-columns:repeat(auto-fill,minmax(130px,1fr))}#film .sheet{image-rendering:auto}
button,summary{cursor:pointer}summary{padding:.7rem 0}ul{padding-left:1.2rem}li+li{margin-top:.35rem}.legend{
list-style:none;display:flex;flex-wrap:wrap;gap:0 1.2rem;padding:0}.legend li{margin:0}.s0{color:var(--a)}.legend i{
display:inline-block;width:1.5em;margin-right:.45em;vertical-align:.25em;border-top:3px solid}.s1{color:var(--b)}.s2{
color:var(--c)}.legend span{color:var(--ink)}.s2 i{border-top-style:dashed}.mark i{border-top:2px dotted var(--soft)}
svg text{fill:var(--soft)}.rule{stroke:var(--line)}.axis{stroke:var(--soft)}svg{overflow:visible;font-size:13px;
margin-bottom:.6rem}.s2 .curve{stroke-dasharray:7 5}.curve{fill:none;stroke:currentColor;stroke-width:2;
stroke-linejoin:round}.hit{fill:var(--soft);fill-opacity:0}.dot{fill:currentColor}.mark{stroke:var(--soft);
stroke-width:1.6;stroke-dasharray:2 4}.hit:hover{fill-opacity:.18}table{border-collapse:collapse;width:100%;
font-size:.92rem}caption{text-align:left;font-weight:600;margin-bottom:.3rem}th,td{text-align:left;vertical-align:top;
padding:.28rem .8rem .28rem 0;border-top:1px solid var(--line)}th{font-weight:400}pre{background:var(--code);
border-radius:6px;margin:0 0 1rem;padding:.5rem .8rem;white-space:pre-wrap}@media(max-width:600px){svg{font-size:18px}
h1{font-size:1.5rem}.card{padding:.9rem}main{padding:1.4rem .8rem 3rem}}
"""
SCRIPT = """
const film = [...document.querySelectorAll('#film img')], at = id => document.getElementById(id);
const range = at('moment'), play = at('play'), last = film.length - 1; let timer = 0;
function show(i) {
  range.value = i; at('now').src = film[i].src; at('now').alt = film[i].alt;
  at('when').textContent = film[i].dataset.at; range.setAttribute('aria-valuetext', film[i].dataset.at);
}
function stop() { clearInterval(timer); timer = 0; play.textContent = 'Play'; }
function next() { show(+range.value + 1); if (+range.value >= last) stop(); }
if (last > 0) {
  range.max = last; show(last); at('time').hidden = false; range.oninput = () => { stop(); show(+range.value); };
  play.onclick = () => {
    if (timer) return stop();
    show(+range.value < last ? +range.value : 0); play.textContent = 'Stop'; timer = setInterval(next, 350);
  };
}
"""


def write(run: Run) -> None:
    """Write report.html from what the run's folder holds; whatever is missing there is left out.

    Raises:
        UserError: the file cannot be written.
    """
    card = _card(run)
    rows = [r for r in run.rows() if number(r, "images") is not None]
    checks = [r for r in run.rows(run.metrics) if r.get("metric") == diagnosis.CHECK]
    name = escape(run.folder.resolve().name)
    parts = [_status(name, card, rows), _pictures(run, card)]
    if (special := _special(card)) is not None:
        parts += [special.section(run, card, rows)]
    else:
        parts += [_contest(rows, checks), _measured(run), _no_detector(run)]
        parts += [_curves(rows, str(_section(card, "task").get("loss"))), _figures(rows, checks)]
    page = (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name} · Ganvas</title>'
        '<meta http-equiv="Content-Security-Policy" content="default-src \'none\'; img-src data:; '
        "style-src 'unsafe-inline'; script-src 'unsafe-inline'\">"
        f'<meta name="viewport" content="width=device-width,initial-scale=1"><style>{CSS}</style></head>\n<body><main>'
    )
    damaged = "".join(f"<p class=soft>{escape(sentence)}</p>" for sentence in run.remarks())
    end = f"{damaged}{_commands(run, card)}{_settings(run, card)}</main><script>{SCRIPT}</script></body></html>\n"
    write_whole(run.report, page + "".join(parts) + end)


def _special(card: dict[str, Any]) -> ModuleType | None:
    """Who tells of a task in which the generator is given pictures."""
    return {"restore": restore_report, "translate": translate_report}.get(str(_section(card, "task").get("name")))


def _status(name: str, card: dict[str, Any], rows: Rows) -> str:
    last = rows[-1] if rows else {"images": 0}
    seen, total = last["images"], number(_section(card, "training"), "images") or 0
    tiles, state, bar = {"images seen": f"{seen:,.0f}"}, "", ""
    if total > 0:
        tiles["images seen"] += f" of {total:,.0f}"
        share = min(100, math.floor(100 * seen / total))
        state = "This run is complete." if share == 100 else f"{share}% of the run is done."
        bar = f'<progress value="{share}" max="100" aria-label="Share of the run that is done"></progress>'
    shown = {"epoch": ("epochs", "{:,.4g}".format), "seconds": ("training time", _duration)}
    for key, (title, form) in {**shown, "images_per_second": ("images a second", "{:,.0f}".format)}.items():
        if (value := number(last, key)) is not None:
            tiles[title] = form(value)
    items = "".join(f"<div><dt>{title}</dt><dd>{value}</dd></div>" for title, value in tiles.items())
    about = f"Recipe {escape(str(card.get('recipe') or 'not known'))}. {state} Written {datetime.now():%Y-%m-%d %H:%M}."
    return f'<header><h1>{name}</h1><p class="soft">{about}</p><dl class="tiles">{items}</dl>{bar}</header>'


def _pictures(run: Run, card: dict[str, Any]) -> str:
    """The newest sheet with the slider beside the real images; without scripts the film below tells the same."""
    film: list[tuple[Path, str, str]] = []
    special = _special(card)
    for seen, path in _spread(run.previews()):
        when = f"After {seen:,} images" if seen else "After fewer than 1,000 images"
        if path.stem == "fakes_init":
            when = "Before the training" if special else "Before the training: noise"
        if image := _image(path, f"Generated images. {when}", f'data-at="{when}"'):
            film.append((path, when, f"<figure>{image}<figcaption>{when}</figcaption></figure>"))
    rule, shown = " One class a row." if card.get("classes") and not special else "", ""
    told = f"{rule} The noise behind a cell stays the same." if special is None else f" {special.RULE}"
    if film:
        path, when, _ = film[-1]
        sheet = _image(path, f"Generated images. {when}", 'id="now"')
        name = "Generated" if special is None else special.NAME
        shown = (
            f'<figure class="card"><h3>{name}</h3>{sheet}<div id="time" hidden>'
            '<button id="play" type="button">Play</button><input id="moment" type="range" min="0" value="0" '
            'aria-label="Time, from noise to the newest picture"></div>'
            f'<figcaption><b id="when">{when}</b>.{told}</figcaption></figure>'
        )
    if real := _image(run.samples / "reals.png", "Real images of the training set"):
        shown += f'<figure class="card"><h3>Real</h3>{real}<figcaption>Training images.{rule}</figcaption></figure>'
    cells = "".join(cell for _, _, cell in film)
    every = f'<details><summary>All {len(film)} pictures side by side</summary><div id="film">{cells}</div></details>'
    body = f'<div class="grid">{shown}</div>{every if film[1:] else ""}' if shown else "<p>There is no picture yet.</p>"
    title = "From noise to pictures" if special is None else special.TITLE
    return f"<section><h2>{title}</h2>{body}</section>"


def _contest(rows: Rows, checks: Rows) -> str:
    items = "".join(f"<li>{escape(text)}</li>" for text in diagnosis.remarks(rows, checks))
    short = escape(diagnosis.headline(rows, checks))
    return (
        "<section><h2>Is the contest balanced?</h2><p>Two networks play against each other: the forger (generator, G) "
        "draws images from noise; the expert (discriminator, D) says which images are real and which are forged. Each "
        "learns from the other while neither wins.</p>"
        f'<div class="card"><p class="verdict">{short}</p><ul>{items}</ul></div></section>'
    )


def _curves(rows: Rows, loss: str) -> str:
    """The four charts, each with what it means and what good looks like."""
    words, guess = diagnosis.explain(loss), diagnosis.GUESS.get(loss)
    coin = (guess, "an expert that guesses") if guess else None
    verdicts = (rows, ("d_real", "d_fake"), "The expert's verdicts")
    marked = (
        chart(*verdicts, (0, 1), (0.5, "undecided")) if diagnosis.is_probability(loss) else chart(*verdicts, None, None)
    )
    rights = ("accuracy_real", "accuracy_fake", "accuracy_held_out")
    speed = (0, max((number(row, "images_per_second") or 0 for row in rows), default=0))
    charts = {
        "losses": chart(rows, ("loss_d", "loss_g"), "Losses", None, coin),
        "accuracy": chart(rows, rights, "How often the expert is right", (0, 1), (0.5, "guessing"), "{:.0%}"),
        "verdicts": marked,
        "speed": chart(rows, ("images_per_second",), "Speed", speed, None, "{:,.0f}"),
    }
    cards = "".join(f'<div class="card">{drawn}<p>{words[key]}</p></div>' for key, drawn in charts.items() if drawn)
    return f'<section><h2>The curves</h2><div class="grid">{cards}</div></section>' if cards else ""


def _figures(rows: Rows, checks: Rows) -> str:
    last = {**(rows[-1] if rows else {}), "diversity": checks[-1].get("diversity") if checks else None}
    there = {key: words for key, words in FIGURES.items() if number(last, key) is not None}
    lines = {title: f'{last[key]:{form}}</td><td class="soft">{text}' for key, (title, form, text) in there.items()}
    where = f"At {rows[-1]['images']:,.0f} images: means since the line before" if rows else "The latest check"
    return f"<section><h2>The latest figures</h2>{_table(where, lines)}</section>" if lines else ""


def _measured(run: Run) -> str:
    """What `ganvas evaluate` found: the newest figure of each metric, and the distance over the training."""
    rows = run.figures()
    newest = {str(r["metric"]): r for r in rows}  # of some there may be only why there is no figure
    newest = {metric: r for metric, r in newest.items() if number(r, "value") is not None}
    rows = [r for r in rows if number(r, "value") is not None]
    if not newest:
        return ""
    lines = ""
    for row in newest.values():
        form = "{:.1%}" if row.get("share") else "{:.4g}"
        value, floor = (form.format(v) if (v := number(row, key)) is not None else "" for key in ("value", "floor"))
        lines += f'<tr><th scope="row">{escape(str(row.get("title")))}</th><td>{value}</td><td>{floor}</td>'
        lines += f"<td class=soft>{escape(str(row.get('better')))}</td></tr>"
    p = rows[-1]["protocol"]
    about = f"{p.get('count'):,} pictures after {rows[-1]['images']:,} images"
    about = (
        f"Real: what other real images get by the same code. {about}, features of {escape(str(p.get('extractor')))}."
    )
    table = (
        '<div class="card"><table><thead><tr><th>Metric</th><th>Generated</th><th>Real</th><th>Better</th></tr></thead>'
        f"<tbody>{lines}</tbody></table><p class=soft>{about}</p></div>"
    )
    counts = [r["protocol"].get("count") for r in rows if r["metric"] == "frechet"]
    often = max(set(counts), key=counts.count) if counts else None
    line = [r for r in rows if r["metric"] == "frechet" and r["protocol"].get("count") == often]
    line = [{"images": r["images"], "frechet": r["value"], "real": r["floor"]} for r in line]
    line = list({r["images"]: r for r in line}.values())  # the newest figure of a model
    title = f"Frechet distance ({often:,} pictures)" if often else ""
    drawn = chart(line, ("frechet", "real"), title, None, None) if len(line) > 1 else ""
    card = f'<div class="card">{drawn}</div>' if drawn else ""
    return f'<section><h2>How good are the pictures?</h2><div class="grid">{table}{card}</div></section>'


def _no_detector(run: Run) -> str:
    """Why a finished training left no detector."""
    try:
        card = checkpoint.head(run.model)
    except UserError:
        return ""
    if not card.get("finished") or "detector" in card:
        return ""
    return f"<section><h2>No detector</h2><p>{escape(why_none_in(card))}.</p></section>"


def _commands(run: Run, card: dict[str, Any]) -> str:
    place = _home(str(run.folder))
    place = "~/" + shlex.quote(place[2:]) if place.startswith("~/") else shlex.quote(place)
    total = number(_section(card, "training"), "images")
    steps = {
        "Go on after a stop, as if it had never been:": f"resume {place}",
        "Train longer:": f"resume {place} images={f'{2 * total:.0f}' if total else '2M'}",
    }
    if (special := _special(card)) is not None:
        title, command = special.NEXT
        steps[title] = command.format(place=place)
    else:
        steps["Draw new images; the same seed gives the same image again:"] = f"sample {place} --seeds 0-63"
    items = "".join(f"<p>{text}</p><pre><code>ganvas {escape(step)}</code></pre>" for text, step in steps.items())
    return f'<section><h2>How to go on</h2><div class="card">{items}</div></section>'


def _settings(run: Run, card: dict[str, Any]) -> str:
    """All settings, the images and the machine as tables."""
    tables = {title: values for title, values in card.items() if isinstance(values, dict) and title != "spec"}
    spec, mark = _section(card, "spec"), str(card.get("fingerprint", ""))[:12]
    about = {"name": card.get("data_name"), "licence": card.get("licence"), "classes": card.get("classes")}
    about |= {"pixels a side": spec.get("size"), "channels": spec.get("channels"), "fingerprint": mark}
    tables |= {"the images": {key: value for key, value in about.items() if value}, "machine": _machine(run)}
    cards = ""
    for title, values in tables.items():
        lines = {escape(str(key)): escape(_plain(value)) for key, value in values.items()}
        cards += _table(escape(title.capitalize()), lines) if lines else ""
    return f'<section><h2>The exact settings</h2><div class="grid">{cards}</div></section>' if cards else ""


def _table(caption: str, lines: dict[str, str]) -> str:
    body = "".join(f'<tr><th scope="row">{name}</th><td>{value}</td></tr>' for name, value in lines.items())
    return f'<div class="card"><table><caption>{caption}</caption><tbody>{body}</tbody></table></div>'


def _card(run: Run) -> dict[str, Any]:
    """experiment.json, or nothing where it cannot be read."""
    try:
        return run.settings()
    except UserError:
        return {}


def _section(card: dict[str, Any], name: str) -> dict[str, Any]:
    return card[name] if isinstance(card.get(name), dict) else {}


def _machine(run: Run) -> dict[str, Any]:
    """Where the newest model was trained, from the head of its file."""
    try:
        return _section(checkpoint.head(run.model), "machine")
    except UserError:
        return {}


def _spread(pictures: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """PICTURES of them (fewer where they are large), even in the logarithm of the images, both ends among them."""
    count = max(2, min(PICTURES, int(BYTES / fmean([path.stat().st_size or 1 for _, path in pictures] or [1]))))
    if len(pictures) <= count:
        return pictures
    chosen = [0]
    for i in range(1, count - 1):
        wanted = math.expm1(math.log1p(pictures[-1][0]) * i / (count - 1))
        ahead = range(chosen[-1] + 1, len(pictures) - (count - 1 - i))
        chosen.append(min(ahead, key=lambda j: abs(pictures[j][0] - wanted)))
    return [pictures[j] for j in [*chosen, -1]]


def _image(path: Path, alt: str, more: str = "") -> str:
    """A PNG inside an img, a whole multiple of its size where that fits; empty where there is no such file."""
    try:
        data = read_bytes(path, BYTES)
    except UserError:
        return ""
    if not data.startswith(b"\x89PNG") or len(data) < 24:
        return ""
    width = max(1, int.from_bytes(data[16:20], "big"))
    scale = max(1, 560 // width)
    look = f'class="sheet{" pixels" if scale > 1 else ""}" style="max-width:{scale * width}px"'
    return f'<img {more} {look} alt="{alt}" src="data:image/png;base64,{base64.b64encode(data).decode()}">'


def _plain(value: object) -> str:
    if isinstance(value, list):
        return ", ".join(map(_plain, value)) or "none"
    if isinstance(value, int):  # True and False too
        return str(value).lower() if isinstance(value, bool) else f"{value:,}"
    return _home(str(value))


def _home(text: str) -> str:
    """A path without the name of its owner: reports are shown to others."""
    try:
        home = f"{Path.home()}/"
    except RuntimeError:  # this user has none
        return text
    return "~/" + text.removeprefix(home) if text.startswith(home) else text


def _duration(seconds: float) -> str:
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min" if seconds >= 100 else f"{seconds:.0f} s"
