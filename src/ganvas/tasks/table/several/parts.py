"""The trainings that the tables of a database need: one each."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

from ganvas.core import distributed
from ganvas.core.errors import UserError
from ganvas.core.naming import safe
from ganvas.core.progress import last
from ganvas.core.text import one_line
from ganvas.tables import databases
from ganvas.tables.data import DataConfig
from ganvas.tables.several import plan as plans
from ganvas.tables.several import planner, taken
from ganvas.tables.several import schema as schemas
from ganvas.tables.several.plan import Plan, TablePlan
from ganvas.training.experiment import Experiment
from ganvas.training.several import Parts


def parts(experiment: Experiment, folder: Path | None) -> Parts:
    """The trainings of a database's tables; the plan in the folder still holds.

    Raises:
        UserError: the database cannot be read, or has other tables or keys than when the folder was made.
    """
    config = experiment.data
    stored = plans.read(folder) if folder is not None and (folder / plans.FILE).exists() else None
    if stored is not None and folder is not None:
        found, notes = stored, _since(stored, config, folder)
    else:
        found = last(planner.make(config))
        notes = found.notes
    experiments = {}
    for table in found.learned:
        data = dataclasses.replace(
            config, table=table.name, related=table.joined.text(), columns="", copied="", parents="",
            kinds=json.dumps(taken.said_of(table, found.schema[table.name], config)),
        )  # fmt: skip
        rows = found.schema[table.name].rows
        batch = min(experiment.training.batch, rows - max(1, round(rows * config.held_out)))  # of few rows: all
        if batch < experiment.training.batch:  # is divided among the processes that work together
            batch = max(distributed.size(), batch - batch % distributed.size())
        training = dataclasses.replace(experiment.training, batch=batch)
        experiments[folder_of(found, table)] = dataclasses.replace(experiment, data=data, training=training)
    return Parts(experiments, {plans.FILE: found.text()}, notes)


def _since(plan: Plan, config: DataConfig, folder: Path) -> tuple[str, ...]:
    """Sentences on tables that are still to be trained and have other rows than when the training began.

    Raises:
        UserError: the database has other tables, columns or keys now.
    """
    now = planner.now(config)
    if changed := schemas.change(plan.schema, now):
        raise UserError(
            f"{databases.shown(config.source)} is not what it was when the training in {folder} began: {changed}. Name "
            "the database as it was with --data, or train again in another --run folder."
        )
    return tuple(
        f"{one_line(table.name)} has {now[table.name].rows:,} rows now and had {plan.schema[table.name].rows:,} when "
        "the training began: it may not fit the tables that are trained already."
        for table in plan.learned
        if now[table.name].rows != plan.schema[table.name].rows
        and not (folder / folder_of(plan, table) / "experiment.json").exists()
    )


def folder_of(plan: Plan, table: TablePlan) -> str:
    """The name of a table's folder."""
    names = [safe(each.name) for each in plan.tables]
    if len({name.lower() for name in names}) < len(names):
        raise UserError("Two tables have names that differ only in case or punctuation: they would share a folder.")
    return safe(table.name)
