"""Training: the loop, its state, batches, losses, and what a task owes the loop."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
