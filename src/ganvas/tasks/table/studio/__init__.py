"""What the web studio shows of tables and of their models."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ganvas.core.run import Run
from ganvas.report.diagnosis import Rows
from ganvas.tasks.table import standing
from ganvas.tasks.table.studio import rows
from ganvas.training.studio import Best, Chart, Curve, Diagram, Goal, Page, Part, Tile


def remarks(log: Rows, checks: Rows) -> list[str]:
    """How the training is going, in plain words."""
    found = standing.remarks(log, checks)
    return [text for _, text in found] or ["The first results appear with the first rows."]


def found(run: Run, names: list[str]) -> dict[str, Any]:
    """See `several.studio.together`, which is imported when it is needed."""
    from ganvas.tasks.table.several import studio

    return studio.together(run, names)


PART = Part(
    name="table",
    best=Best("likelihood", "common", "columns in common with real rows", "%"),
    remarks=remarks,
    charts=(
        Chart(
            "How surprising real rows are to the forger",
            (Curve("nll", "-log p of training rows", "--forger"),),
            "-log of the probability of a row: the less real rows surprise the forger, the lower. In half of the rows "
            "some columns are given.",
        ),
        Chart(
            "Losses of both networks",
            (Curve("loss_d", "expert", "--expert"), Curve("loss_g", "forger", "--forger")),
            "The forger learns from the rows alone at first; the expert joins in the last part of the training.",
        ),
    ),
    compared=(
        ("nll", "-log p of training rows"),
        ("loss_g", "Forger’s loss"),
        ("loss_d", "Expert’s loss"),
        ("accuracy_held_out", "Accuracy on held-out rows"),
    ),
    tiles=(Tile("columns in common with real rows", "{common}% (other real rows {common_real}%)"),),
    diagram=Diagram(
        "noise",
        "Forger",
        "drawn rows",
        "real rows",
        "The forger (generator) learns how likely each value is, given the other values in its row, and draws rows "
        "column by column. In the last part of the training the expert (discriminator) sees drawn and real rows in "
        "turn, and the forger learns to draw more of what the expert takes for real.",
    ),
    samples="rows",
    made="drawn",
    source=("Table", "a CSV, Parquet or SQLite file"),
    goals=(
        Goal(
            "table",
            "Make rows of a table",
            "New rows like yours, for example test data without real people.",
            4,
            (("table", ""),),
            {
                "table": (
                    (0, "columns with about the right values"),
                    (50_000, "values that go together"),
                    (200_000, "rows like the real ones"),
                    (1_000_000, "the best that this network can do; it stops by itself"),
                )
            },
            noun="table",
            which="Which table?",
            files=(".csv", ".parquet"),
        ),
    ),
    preview="Columns and pairs, compared with the real rows",
    suffix=".json",
    film="film.js",
    together="together.js",
    found=found,
    check="check.js",
    pages=(Page("rows", "Draw rows", "rows.js"), Page("judge", "Judge and fill rows", "judge.js")),
    scripts=Path(__file__).parent,
    functions={"rows": rows.rows, "file": rows.file, "odd": rows.odd, "fill": rows.fill},
    facts=rows.facts,
)
