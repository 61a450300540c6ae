"""Generate: draw new pictures from noise."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
