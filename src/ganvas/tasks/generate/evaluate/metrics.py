"""The metrics of pictures: those of features, and those that need the pixels."""

from __future__ import annotations

from ganvas.images import classifier
from ganvas.metrics import METRICS as OF_FEATURES
from ganvas.metrics import Metric, Raw, check_near, fresh_classifier, near_copies_raw
from ganvas.tasks.generate import copies

RAW = Raw(copies.flat, classifier.fresh)
METRICS: dict[str, Metric] = {
    **{name: metric for name, metric in OF_FEATURES.items() if name != "near-copies-features"},
    "near-copies-pixels": Metric(
        near_copies_raw,
        "near copies by pixels",
        "lower",
        check=check_near(lambda seen: seen.held_out_raw),
        once=True,
        share=True,
        raw=True,
    ),
    "near-copies-features": OF_FEATURES["near-copies-features"],
    "fresh-expert": Metric(
        fresh_classifier, "fresh expert's accuracy", "lower", least=200, once=True, slow=True, share=True, raw=True
    ),
}
