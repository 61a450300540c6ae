"""The state of an adversarial training and the meaning of its figures, in plain words.

Texts for users call the generator the forger and the discriminator the expert.

Every remark names its window and its numbers. Nothing here uses a network or a file.
"""

from __future__ import annotations

import itertools
from statistics import median
from typing import NamedTuple, Protocol

from ganvas.report.quantities import Rows, mean, number, series, worded

ENOUGH = 10  # log lines: with fewer, a single unlucky line would decide
WINDOW = 5  # the last fifth of the log is 'now': short enough to be current, long enough to be stable
COPIED = 0.05  # share of the generated images that may be copies of training images: five times that by chance
WINNING = 0.95  # nearly always right: most generated images are recognised whatever the generator changes
LEADING = 0.85  # one error in seven or fewer: no longer balanced
GUESSING = 0.55  # chance is 0.50; so close to it, the discriminator's outputs say little
MISLED = 0.45  # clearly worse than chance
OVERFITTING = (
    0.10  # accuracy on training minus held-out images: three standard errors of a held-out check of 256 images
)
DIVERSE = 0.6  # spread of the generated images relative to the real ones: for a good generator close to 1
RISING = 0.05  # a larger difference between two checks is a change, a smaller one chance
HISTORY = 8  # log lines from which the usual step of a loss is estimated
JUMP = 8.0  # usual steps: such a step hardly ever happens by chance
LOOK_BACK = 100  # log lines that are searched for a jump: older ones no longer matter
CHECK = "discriminator-accuracy"


class Objective(Protocol):
    """What the loss of a training says about its metrics: see `training.losses.Objective`."""

    @property
    def guess(self) -> float | None: ...
    @property
    def probability(self) -> bool: ...
    @property
    def pairs(self) -> bool: ...


class Finding(NamedTuple):
    """One statement: its urgency (0: all is well), its short form, and the remark with the evidence."""

    weight: int
    short: str
    text: str


class Right(NamedTuple):
    """How often the discriminator is right, as shares of 0 to 1: on real training samples, generated ones, held-out
    real ones (None: not measured), and on `both`, the mean of the first two.
    """

    real: float
    fake: float
    held_out: float | None

    @property
    def both(self) -> float:
        return (self.real + self.fake) / 2


def right(rows: Rows) -> Right | None:
    """How often the discriminator is right: the means over the last fifth of the log. Every page shows these.

    Args:
        rows: lines of log.jsonl, oldest first; any field may be missing.

    Returns:
        None where there is no discriminator, or its accuracy was not logged.
    """
    window, _ = _window([row for row in rows if number(row, "images") is not None])
    real, fake = mean(window, "accuracy_real"), mean(window, "accuracy_fake")
    return None if real is None or fake is None else Right(real, fake, mean(window, "accuracy_held_out"))


def columns(rows: Rows) -> dict[str, float | None]:
    """The same under the names that the columns of the log have; empty where there is nothing."""
    found = right(rows)
    return {} if found is None else {f"accuracy_{name}": share for name, share in found._asdict().items()}


def percent(share: float) -> str:
    """71%; near the ends with one more digit: 99.7% is not 100%."""
    return f"{share:.1%}" if 0 < min(share, 1 - share) < 0.01 else f"{share:.0%}"


def remarks(rows: Rows, checks: Rows, noun: str = "images") -> list[str]:
    """Remarks on the state of the training, the most urgent first.

    Args:
        rows: lines of log.jsonl, oldest first; any field may be missing.
        checks: lines of metrics.jsonl, oldest first; metrics other than the discriminator's check are ignored.
        noun: what the samples are called.

    Returns:
        At least one remark, each of one or two sentences with its numbers.
    """
    return [worded(finding.text, noun) for finding in _findings(rows, checks)]


def headline(rows: Rows, checks: Rows, noun: str = "images") -> str:
    """The most urgent remark as one short sentence."""
    return worded(_findings(rows, checks)[0].short, noun)


def explain(objective: Objective | None) -> dict[str, str]:
    """What the curves of a training with this objective (None: not known) mean and what good looks like.

    Returns:
        A text each for 'losses', 'accuracy', 'verdicts' (D(x) and D(G(z))) and 'speed'.
    """
    probability = objective is not None and objective.probability
    pairs = " This loss judges pairs: both sides are the share of pairs whose real image scores higher."
    verdicts = (
        "a probability of being real. Good: D(x) above D(G(z)), and the gap narrows as the forgeries improve. Stuck "
        "near 1 and 0, the expert is sure of itself and the forger learns little."
        if probability
        else "a raw score: only the gap counts. Good: it stays small or narrows. A gap that keeps growing means that "
        "the expert is winning."
    )
    return {
        "losses": "Each network's error. They pull against each other: flat is good, falling is not the goal; both "
        "wander around a steady height. If the expert's sinks as far as it can while the forger's climbs, the expert "
        "is winning. They do not tell how good the pictures are.",
        "accuracy": "50% = guessing, like tossing a coin; 100% leaves the forger little to learn from; good is between."
        " Held-out images are real ones that the expert never trained on: if it does much better on its training "
        "images, it has memorised them." + pairs * (objective is not None and objective.pairs),
        "verdicts": f"The expert's mean verdict on real images, D(x), and on forgeries, D(G(z)), as {verdicts}",
        "speed": "It does not affect the pictures; a dip means that the computer was busy.",
    }


def _findings(rows: Rows, checks: Rows) -> list[Finding]:
    rows = [row for row in rows if number(row, "images") is not None]
    checks = [c for c in checks if c.get("metric", CHECK) == CHECK and number(c, "images") is not None]
    if len(rows) < ENOUGH:
        short = f"Too early to judge ({len(rows)} of {ENOUGH} log entries so far)."
        return [Finding(0, short, f"{short} Check back in a moment.")]
    all_findings = [_balance(rows), _overfitting(rows), _copies(checks), _diversity(rows, checks), _jump(rows)]
    findings = [finding for finding in all_findings if finding is not None]
    findings.sort(key=lambda finding: -finding.weight)  # stable: the balance comes first among equals
    unknown = "The log has no accuracy of the expert, so there is no verdict."
    return findings or [Finding(0, unknown, unknown)]


def _balance(rows: Rows) -> Finding | None:
    """A finding on the accuracy of the discriminator: is one network ahead?"""
    window, when = _window(rows)
    found = right(rows)
    if found is None:
        return None
    share = percent(found.both)
    seen = f"{when} it was right {share} of the time (real images {percent(found.real)}, generated ones "
    seen += f"{percent(found.fake)})"
    if found.both >= WINNING:
        short = f"The expert wins easily: right {share} of the time."
        if mean(window, "gradient_penalty") is not None:
            text = f"The expert wins easily: {seen}. With a gradient penalty that is intended: judge by the pictures."
            return Finding(0, short, text)
        more = "a larger r1" if mean(rows, "r1") is not None else "R1 (r1=0.3, for example)"
        help_ = f"In a new run, try {more} or a smaller lr_d{_smaller(rows, 'lr_d')}."
        return Finding(4, short, f"The expert wins easily: {seen}, so the forger gets little to learn from. {help_}")
    if found.both >= LEADING:
        text = f"The expert is ahead: {seen}. That is common early on; act only if it gets close to 100%."
        return Finding(0, f"The expert is ahead: right {share} of the time.", text)
    if found.both < MISLED:
        text = f"The forger misleads the expert: {seen}, worse than guessing. In a new run, try a smaller lr_g"
        short = f"The forger misleads the expert: right only {share} of the time."
        return Finding(3, short, f"{text}{_smaller(rows, 'lr_g')} or a larger lr_d.")
    if found.both <= GUESSING:
        text = (
            f"The expert guesses: {seen}. Either the forgeries are very good, which the pictures show, or the expert "
            "learns nothing: then try a larger lr_d or a smaller r1 in a new run."
        )
        return Finding(2, f"The expert guesses: right {share} of the time. Judge by the pictures.", text)
    text = f"Balanced: {seen}. Neither side has won, so both can keep learning."
    return Finding(0, f"Balanced: the expert is right {share} of the time.", text)


def _overfitting(rows: Rows) -> Finding | None:
    """A finding if the discriminator has memorised its training images."""
    window, when = _window(rows)
    real, held_out = mean(window, "accuracy_real"), mean(window, "accuracy_held_out")
    if real is None or held_out is None or real - held_out < OVERFITTING:
        return None
    figures = f"{percent(real)} of its training images and {percent(held_out)} of held-out ones"
    text = (
        f"The expert seems to have memorised its training images: {when} it was right on {figures}. "
        "That is overfitting: more images, augmentation or a shorter training would help."
    )
    return Finding(3, f"The expert overfits: right on {figures}.", text)


def _copies(checks: Rows) -> Finding | None:
    """A finding if generated images are copies of training images."""
    share = mean(checks[-2:], "copied")
    if share is None or share <= COPIED:
        return None
    short = f"The forger repeats its training images: {percent(share)} of the drawings."
    text = (
        f"The forger repeats what it was shown: {percent(share)} of the drawings of the last two sheets are nearer to "
        "a training image than 99 of 100 training images are to each other. More images, the recipe few, a larger "
        "augment, or an earlier end help."
    )
    return Finding(2, short, text)


def _diversity(rows: Rows, checks: Rows) -> Finding | None:
    """A finding on whether the generated images vary as much as real ones."""
    values = series(checks, "diversity")
    if not values:
        return None
    images, value = values[-1]
    figure = f"generated images differ from each other {value:.2f} times as much as real ones"
    if value >= DIVERSE:
        text = f"At {images:,.0f} images {figure}: no sign of mode collapse here (one kind of picture could still be "
        text += "missing)."
        return Finding(0, f"The pictures vary {value:.2f} times as much as real ones.", text)
    trend = ""
    if len(values) > 1:
        at, before = values[-2]
        trend = f", after {before:.2f} at {at:,.0f}"
        if value - before > RISING:
            text = f"At {images:,.0f} images {figure}{trend}. That is low but rising: wait for the next check."
            return Finding(1, f"The pictures vary {value:.2f} times as much as real ones, and rising.", text)
    text = (
        f"Mode collapse is suspected: at {images:,.0f} images {figure}{trend}. If the pictures repeat or are washed "
        f"out, start a new run with a larger r1, a smaller lr_g{_smaller(rows, 'lr_g')} or loss=relativistic."
    )
    return Finding(5, f"Mode collapse suspected: the pictures vary {value:.2f} times as much as real ones.", text)


def _jump(rows: Rows) -> Finding | None:
    """A finding on the newest step of a loss that is far larger than its usual steps."""
    newest: tuple[float, str, float, float, float, float] | None = None
    for key in ("loss_d", "loss_g"):
        values = series(rows[-LOOK_BACK:], key)
        for i in range(HISTORY, len(values)):
            past = [value for _, value in values[i - HISTORY : i]]
            steps = [abs(b - a) for a, b in itertools.pairwise(past)]
            usual = max(
                median(steps), 0.05 * abs(median(past)), 1e-3
            )  # where the loss was flat, a small step is not a jump
            (_, old), (images, value) = values[i - 1 : i + 1]
            leaves = abs(value - median(past)) > abs(old - median(past))  # and not a return
            if leaves and abs(value - old) > JUMP * usual and (newest is None or images > newest[0]):
                newest = (images, key, old, value, abs(value - old) / usual, values[-1][1])
    if newest is None:
        return None
    images, key, old, value, times, now = newest
    name, lr = ("expert", "lr_d") if key == "loss_d" else ("forger", "lr_g")
    what = f"The {name}'s loss ({key}) jumped from {old:.3g} to {value:.3g} at {images:,.0f} images"
    evidence = f"{what}, {times:.0f} times its usual step"
    if abs(now - old) < abs(value - old) / 2:
        return Finding(0, f"{what}; it came back.", f"{evidence}; it has come back since ({now:.3g} now).")
    text = f"{evidence}, and is at {now:.3g} now. If the pictures are worse since then, try a smaller {lr}"
    return Finding(2, f"{what}.", f"{text}{_smaller(rows, lr)} in a new run.")


def _window(rows: Rows) -> tuple[Rows, str]:
    """The last fifth of the log (a row at least), and a description of it."""
    if not rows:
        return [], ""
    count = max(1, len(rows) // WINDOW)
    since, last = rows[-count - 1]["images"] if count < len(rows) else 0, rows[-1]["images"]
    return rows[-count:], f"over the last fifth of the log ({since:,.0f} to {last:,.0f} images seen)"


def _smaller(rows: Rows, key: str) -> str:
    """Half of the learning rate that the run had, as a setting; empty where it was not logged."""
    rates = [value for _, value in series(rows, key) if value > 0]
    return f" (such as {key}={max(rates) / 2:.2g})" if rates else ""
