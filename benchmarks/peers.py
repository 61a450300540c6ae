"""Ganvas compared with other GANs on the same pictures, cores and minutes: which is better, and which is there sooner.

    python benchmarks/peers.py train cifar10-32.zip --minutes 60 --who images sngan-labels dcgan dcgan-64 --out peers
    python benchmarks/peers.py measure peers --referee referee.pt      # a line for each kept model in peers.jsonl
    python benchmarks/peers.py write                                   # tables into benchmarks/peers.md

`--who` takes recipes and the names of PEERS. Each gets so many minutes of processor time on each of `--threads`
threads; reading the data is not counted. Weights are kept after shares of that time, and all are measured later in the
same way: 10,000 pictures and `ganvas evaluate`. A training that was interrupted continues with the same command, and
one that is done is not repeated. A recipe is first tried for some seconds: its length is what it can do in that time.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import classifier
import numpy as np
import process
import torch
from peer_training import PEERS, Training, noted, precision, train
from torch import Tensor

import ganvas
from ganvas.images import data as datasets
from ganvas.images.data import ImageData
from ganvas.metrics.figures import Figure
from ganvas.tasks.generate.evaluate.evaluate import evaluate

ROWS, PAGE = Path(__file__).with_name("peers.jsonl"), Path(__file__).with_name("peers.md")
METRICS = ["frechet", "precision", "recall"]
NONE = "–"
Row = dict[str, Any]
HEAD = """# Ganvas compared with other GANs

Written by `python benchmarks/peers.py write` from `peers.jsonl`; `peers.py` says how it is measured. The runs:

```
python benchmarks/peers.py train mnist --minutes 3 --seeds 0 1 2 --who mnist classic-mlp tutorial-mlp tutorial-dcgan
python benchmarks/peers.py train cifar10-32.zip --minutes 60 --who images dcgan dcgan-64 sngan-cnn sngan-labels sngan
python benchmarks/peers.py train avatars-64.zip --minutes 60 --who images dcgan-64
python benchmarks/classifier.py train cifar10-32.zip --to five.pt
python benchmarks/classifier.py train cifar10-32.zip --start five.pt --epochs 4 --seed 1 --to referee.pt
python benchmarks/peers.py measure peers --referee referee.pt
```

"Times ours" is the distance divided by that of our best recipe in the same time; "class named" is the share of drawings
of which the referee names the class that was asked for; "Nyquist power" is that of rows, columns and both, divided by
real pictures' (a grid is visible above 1.5).
"""


def drawn(plan: Row, file: Path, data: ImageData, count: int) -> tuple[Tensor, Tensor | None]:
    """`count` pictures of kept weights, uint8 [count, C, H, W], classes in turn, and their labels."""
    if plan["who"] not in PEERS:
        model = ganvas.load(file)
        return model.pictures(range(count)), model.labels(None, count)
    training = Training(PEERS[plan["who"]], data, plan["seed"], plan["format"])
    training.generator.load_state_dict(torch.load(file, weights_only=True))
    return training.pictures(count, data.spec.size)


def figures(pictures: Tensor, data: ImageData, source: str) -> Row:
    """METRICS of pictures, as `ganvas evaluate` has them (None where it refuses), and the Frechet distance's floor.

    Digits are looked at by the classifier that comes with Ganvas, other pictures by EfficientNet-Lite0.
    """
    extractor = "digits" if pictures.shape[1:] == (1, 28, 28) else "efficientnet-lite0"
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "pictures.npz"
        np.savez(file, images=pictures.numpy())
        events = evaluate(file, METRICS, extractor, len(pictures), repeats=1, data=source)
        found = {f.metric: f for f in events if isinstance(f, Figure)}
    protocol = found["frechet"].protocol
    return {
        **{name: None if figure.note else round(figure.value, 4) for name, figure in found.items()},
        "note": found["frechet"].note,
        "floor": None if found["frechet"].note else round(found["frechet"].floor, 4),
        "extractor": f"{protocol.extractor} {protocol.mark[:8]}",
        "count": protocol.count,
    }


def opinion(referee: classifier.Referee, pictures: Tensor, labels: Tensor | None, data: ImageData) -> Row:
    """The share of pictures of which the referee names the class, and the power at the Nyquist frequencies, of real."""
    of_real = classifier.nyquist(classifier.real(data.train, len(pictures)))
    row: Row = {"nyquist": [round(x, 3) for x in (classifier.nyquist(pictures) / of_real).tolist()]}
    if labels is not None:
        row |= {"named": round(float(referee.named(pictures, labels).nanmean()), 4), "referee": referee.fingerprint}
    return row


def measure(folder: Path, referee: classifier.Referee | None, count: int, known: Iterable[Row]) -> Iterable[Row]:
    """A row for each kept model of a training that is done, without those that are known."""
    plan = json.loads((folder / "plan.json").read_text())
    if "rates" not in plan:
        print(f"{folder.name}: not done yet")
        return
    data = datasets.load(plan["data"])
    own = {**{k: v for k, v in plan.items() if k != "data"}, "data": data.name}
    done = [row["images"] for row in known if key(row) == key(own)]
    for kept in noted(folder):
        if not kept["file"] or kept["images"] in done:
            continue
        pictures, labels = drawn(plan, folder / kept["file"], data, min(count, len(data.held_out.images)))
        row = {**own, "images": kept["images"], "seconds": kept["seconds"], **figures(pictures, data, plan["data"])}
        if referee is not None and referee.classes == data.class_names:
            row |= opinion(referee, pictures, labels, data)
        text = number(row["frechet"], ".2f")
        print(f"{folder.name}: {row['seconds']:.0f} s, {row['images']:,} images, FD {text} {row['note']}", flush=True)
        yield row


def key(row: Row) -> tuple[Any, ...]:
    """What tells one training from another."""
    return row["data"], row["minutes"], row["threads"], row["who"], row["seed"], json.dumps(row["set"], sort_keys=True)


def rows() -> list[Row]:
    return [json.loads(line) for line in ROWS.read_text().splitlines()] if ROWS.is_file() else []


def curves(lines: Iterable[Row]) -> dict[tuple[Any, ...], list[Row]]:
    """The rows of each training in the order of time."""
    found: dict[tuple[Any, ...], list[Row]] = defaultdict(list)
    for row in lines:
        found[key(row)].append(row)
    return {k: sorted(found[k], key=lambda row: row["seconds"]) for k in sorted(found)}


def named(row: Row) -> str:
    """Who was trained, and with which settings."""
    return " ".join([row["who"], *(f"{name}={value}" for name, value in row["set"].items())])


def reached(curve: list[Row], goal: float) -> Row | None:
    """The first kept model that is at least as good."""
    return next((row for row in curve if row["frechet"] is not None and row["frechet"] <= goal), None)


def at(curve: list[Row], seconds: float) -> Row | None:
    """The last model kept until then; a recipe may be 5% late, as its length is counted in images."""
    return next((row for row in reversed(curve) if row["seconds"] <= 1.05 * seconds), None)


def against(curve: list[Row], ours: list[Row]) -> list[str]:
    """How many times our distance this training's is at the end, and when ours was as small."""
    last, best = curve[-1]["frechet"], ours[-1]["frechet"]
    if last is None or best is None:
        return [NONE, NONE]
    found = reached(ours, last)
    least = "at most " if found is ours[0] else ""
    soon = (
        f"{least}{found['seconds']:,.0f} s: {curve[-1]['seconds'] / found['seconds']:.1f} times as soon"
        if found
        else "not reached"
    )
    return [f"{last / best:.2f}", soon]


def at_end(curve: list[Row]) -> float:
    """The distance of a training's last model; infinite if it cannot be measured."""
    last = curve[-1]["frechet"]
    return math.inf if last is None else last


def number(value: float | None, form: str) -> str:
    return NONE if value is None else format(value, form)


def table(group: list[list[Row]]) -> str:
    """Distance at the same times, and time to the same distance, of trainings on the same data in the same time."""
    ours = sorted((curve for curve in group if curve[0]["who"] not in PEERS), key=at_end)  # the best recipe first
    first = group[0][0]
    limit = first["minutes"] * 60
    times = [limit / 16, limit / 4]
    heads = ["who", "seed", "images", "seconds", *(f"FD after {t:.0f} s" for t in times), "FD at the end"]
    heads += ["times ours", "ours is as good after"]
    heads += ["precision, recall", "class named", "Nyquist power"]
    lines = ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1)]
    for curve in sorted(group, key=lambda c: (c[0]["who"] in PEERS, named(c[0]), c[0]["seed"])):
        last, peer = curve[-1], curve[0]["who"] in PEERS
        same = next((c for c in ours if c[0]["seed"] == last["seed"]), ours[0] if ours else None)
        found = [at(curve, t) for t in times]
        cells = [named(last), str(last["seed"]), f"{last['images']:,}", f"{last['seconds']:,.0f}"]
        distances = [row["frechet"] if row else None for row in [*found, last]]
        cells += [number(d, ",.1f" if d is None or d >= 10 else ".2f") for d in distances]
        cells += against(curve, same) if peer and same else [NONE, NONE]
        cells.append(f"{number(last['precision'], '.2f')}, {number(last['recall'], '.2f')}")
        cells.append(number(last.get("named"), ".1%"))
        cells.append(", ".join(f"{x:.2f}" for x in last["nyquist"]) if "nyquist" in last else NONE)
        lines.append("| " + " | ".join(cells) + " |")
    rates = [rate for curve in group for rate in curve[0]["rates"]]
    notes = [f"## {first['data']}, {first['minutes']:g} minutes of {first['threads']} thread(s)", ""]
    notes += [f"{first['machine']}; matrix product {min(rates)} to {max(rates)} GFLOP/s ({first['format']})."]
    notes += [f"FD: Frechet distance by {first['extractor']}, {first['count']:,} pictures against held-out ones; "]
    floor = next((row["floor"] for curve in group for row in curve if row["floor"] is not None), None)
    notes[-1] += f"as many training pictures have {number(floor, '.2f')}."
    ends = [curve[-1] for curve in group if curve[-1]["note"]]
    reasons = [f"{row['who']}, seed {row['seed']}, at the end: {row['note']}" for row in ends]
    notes += [f"{NONE}: {'; '.join(reasons)}."] if reasons else []
    papers = [f"- {who}: {PEERS[who].paper}" for who in PEERS if any(c[0]["who"] == who for c in group)]
    return "\n".join([*notes, "", *lines, "", *papers])


def page(lines: list[Row]) -> str:
    """All tables."""
    groups: dict[tuple[Any, ...], list[list[Row]]] = defaultdict(list)
    for found, curve in curves(lines).items():
        groups[found[:3]].append(curve)
    return "\n\n".join([HEAD.rstrip(), *(table(group) for group in groups.values())]) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser(description="Ganvas compared with other GANs.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    first = verbs.add_parser("train", help="train peers and recipes for so many minutes each")
    first.add_argument("data", help="mnist, or a folder or archive of pictures")
    first.add_argument("--who", nargs="+", required=True, help=f"recipes, or {', '.join(PEERS)}")
    first.add_argument("--minutes", type=float, default=60.0, help="of processor time on each thread")
    first.add_argument("--threads", type=int, default=1)
    first.add_argument("--seeds", nargs="+", type=int, default=[0])
    first.add_argument("--set", nargs="*", default=[], help="settings of the recipes, key=value")
    first.add_argument("--out", type=Path, default=Path("peers"), help="folder for all trainings")
    second = verbs.add_parser("measure", help="measure what was trained")
    second.add_argument("out", type=Path)
    second.add_argument("--referee", type=Path, help="of classifier.py, for labelled pictures")
    second.add_argument("--count", type=int, default=10_000)
    verbs.add_parser("write", help="write peers.md")
    a = parser.parse_args()
    if a.verb == "train":
        torch.set_num_threads(a.threads)
        os.environ.update(dict.fromkeys(process.THREADS, str(a.threads)))  # or a recipe would choose its own number
        settings = dict(text.split("=", 1) for text in a.set)
        source = a.data if a.data in datasets.DATASETS else str(Path(a.data).absolute())
        for seed in a.seeds:
            for who in a.who:
                plan = {"data": source, "who": who, "minutes": a.minutes, "threads": a.threads, "seed": seed}
                train({**plan, "format": precision(), "set": {} if who in PEERS else settings}, a.out)
    elif a.verb == "measure":
        referee = classifier.load(a.referee) if a.referee else None
        for plan in sorted(a.out.glob("*/plan.json")):
            for row in measure(plan.parent, referee, a.count, rows()):
                with open(ROWS, "a") as file:
                    file.write(json.dumps(row) + "\n")
    else:
        PAGE.write_text(page(rows()))
        print(PAGE.read_text())


if __name__ == "__main__":
    main()
