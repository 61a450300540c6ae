"""Translate: pictures of one kind into another, in both directions."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
