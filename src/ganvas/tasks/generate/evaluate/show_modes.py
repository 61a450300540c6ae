"""Printed results about the modes that a generator covers, and about the toys."""

from __future__ import annotations

from ganvas.core.terminal import say
from ganvas.tasks.generate.evaluate import modes as md
from ganvas.tasks.generate.evaluate import toys


def show_scores(scores: md.Scores, title: str, seed: int) -> None:
    """Print the score of a model of stacked MNIST together with the control and the floors."""
    count = scores.model.count
    say(f"Stacked MNIST: {md.MODES:,} classes; {count:,} pictures each (seeds {seed} to {seed + count - 1})\n")
    say(f"{'':<38}{'found':>6} {'KL':>8}")
    for name, score in ((title, scores.model), ("control: real pictures, same code", scores.control)):
        say(f"{name:<38}{score.modes:>6,} {score.kl:>8.4f}")
    say(f"{'floor: a perfect copy of the data':<38}{'':>6} {scores.floor_copy:>8.4f}  expected")
    say(f"{'floor: uniform classes':<38}{'':>6} {scores.floor_uniform:>8.4f}  expected")
    say(f"\nKL(classes drawn || uniform), natural log. The classifier is wrong on {scores.errors:.2%} of test digits.")
    say(f"Another draw would differ by about {(2 * md.MODES) ** 0.5 / (2 * count):.4f} (standard deviation) by chance.")


def show_toys() -> None:
    """Train the toys with every loss, and print a line as each is done."""
    modes = {name: len(make().centres) for name, make in toys.TOYS.items()}
    say(f"Gaussians found, and points within 3 sd of one: means of {toys.RUNS} seeds (range)")
    say(f"Real points: all found, 98.9%. {toys.STEPS} steps; published toys train for many times as long.\n")
    heads = [f"  {f'{toy}: of {n}':<20}{'good points':<24}" for toy, n in modes.items()]
    say(f"{'loss':<14}{''.join(heads).rstrip()}")
    for loss, scores in toys.train_all():
        line = f"{loss:<14}"
        for runs in scores.values():
            counts, good = [s.modes for s in runs], [s.quality for s in runs]
            line += f"  {f'{sum(counts) / len(counts):.1f} ({min(counts)} to {max(counts)})':<20}"
            line += f"{f'{sum(good) / len(good):.1%} ({min(good):.1%} to {max(good):.1%})':<24}"
        say(line.rstrip(), flush=True)
