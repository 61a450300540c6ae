"""Folders and archives of files: finding them, their classes and splits, and reading them within limits."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
