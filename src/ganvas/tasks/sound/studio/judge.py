"""The detector of sounds in the studio: what it says about a person's own recording."""

from __future__ import annotations

import math
from typing import Any

import torch

from ganvas.core.errors import UserError
from ganvas.sounds import decode, files, fit
from ganvas.tasks.sound.detect import NO, OTHER, Detector, Verdict, compared, p_values, smallest_alarm
from ganvas.tasks.sound.model import SoundModel
from ganvas.tasks.sound.studio.draw import shown

SECONDS = 60.0  # of a recording at most
MOST = 0.5  # share of usual sounds that may be called odd
POINTS = 200  # oddities of held-out sounds that are shown


def judge(model: SoundModel, content: bytes, kind: str | None, alarm: float) -> dict[str, Any]:
    """The detector's verdict on the bytes of a sound file, with what held-out sounds of the training get.

    Args:
        kind: the class that it is said to be of; None or '': of none.
        alarm: the share of sounds of the kind that may be called 'no'.

    Returns:
        `verdict` ('yes', 'no', 'another class'), `title` and `words` that say it; `oddity`, that of held-out sounds
        (`usual`, ascending) and the one above which a sound is called odd (`limit`); `classes`: name, distance, and the
        share of held-out sounds that are as far from theirs, the nearest first; `heard`: the recording by the rule for
        every sound, as an entry of `draw.sounds`; `file` and `changes`: what it was, and what was changed, in words.

    Raises:
        UserError: the model has no detector, the recording cannot be used, an unknown class, or a share out of range.
    """
    if model.detector is None:
        raise UserError(f"This model has no detector: {model.no_detector}.")
    detector, kind = model.detector, kind if model.class_names else None
    if not (least := smallest_alarm(detector.count)) <= alarm <= MOST:
        raise UserError(
            f"The share of usual sounds that may be called odd is {alarm:g}; with {detector.count:,} held-out sounds "
            f"it is from {math.ceil(1e4 * least) / 1e4:g} to {MOST:g}."
        )
    if kind:
        model.class_number(kind)  # raises what is wrong before a long file is decoded
    try:
        sound = decode.read(content, seconds=SECONDS)
        wave, changes = files.fitted(sound, model.spec.rate, model.spec.samples)
    except (decode.Unreadable, fit.Silent) as error:
        raise UserError(f"This recording cannot be used: {error}.") from error
    waves = torch.from_numpy(wave)[None]
    (verdict,) = model.detect(waves, kind or None, alarm)
    known = detector.oddities.sort().values
    title, words = said(verdict, detector)
    return {
        "verdict": verdict.kind,
        "title": title,
        "words": [*words, compared(detector.count)],
        "oddity": verdict.oddity,
        "usual": known[torch.linspace(0, len(known) - 1, min(POINTS, len(known))).round().long()].tolist(),
        "limit": limit(detector, alarm),
        "classes": _classes(model, detector, verdict),
        "heard": shown(model, model.spec.codec.encode(waves)[0], waves[0]),
        "file": f"{sound.words()}, {sound.seconds:.2f} s",
        "changes": changes,
    }


def said(verdict: Verdict, detector: Detector) -> tuple[str, list[str]]:
    """A verdict for people: a title, and sentences that give its figures."""
    odder = round(verdict.p * (detector.count + 1)) - 1
    many = "None" if not odder else "All" if odder == detector.count else f"{odder:,}"
    figures = [f"{many} of the {detector.count:,} held-out sounds {'is' if odder == 1 else 'are'} as odd or odder."]
    if verdict.kind == NO:
        return "No: it is not like the sounds that this model learned.", figures
    if verdict.kind == OTHER and verdict.p_class is not None:
        worse = round(verdict.p_class * (len(detector.misfits) + 1)) - 1
        suits = "suits" if worse == 1 else "suit"
        figures.append(f"{worse or 'None'} of the held-out sounds with a right class {suits} it as badly.")
        return f"It is one of these sounds, but it sounds like {verdict.like}, not {verdict.given}.", figures
    if verdict.given:
        return f"Yes: it sounds like {verdict.given}.", figures
    like = f", most of all like {verdict.like}" if verdict.like else ""
    return f"Yes: it sounds like those that this model learned{like}.", figures


def limit(detector: Detector, alarm: float) -> float:
    """The oddity above which a sound is called 'no' where a share `alarm` of usual ones may be."""
    passed = max(0, math.floor(alarm * (detector.count + 1) + 1e-9) - 1)  # held-out sounds that may be as odd
    return float(detector.oddities.sort(descending=True).values[min(passed, detector.count - 1)])


def _classes(model: SoundModel, detector: Detector, verdict: Verdict) -> list[dict[str, Any]]:
    """How like each class a recording is, the nearest first; none where there are no classes."""
    distances = torch.tensor(verdict.distances)
    shares = p_values(distances, detector.oddities.cpu()).tolist()
    found = zip(model.class_names, verdict.distances, shares, strict=False)
    rows = [{"name": name, "distance": distance, "share": share} for name, distance, share in found]
    return sorted(rows, key=lambda row: row["distance"])
