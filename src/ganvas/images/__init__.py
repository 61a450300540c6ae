"""Images: their shape, decoding, files, sheets, data sets and features."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
