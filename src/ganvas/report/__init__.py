"""report.html: a run's folder told to a person."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
