"""Training: the loop, its state, batches and losses, and the contract that every task fulfils."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
