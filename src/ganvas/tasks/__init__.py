"""What a GAN is trained to do: a folder each, with all that only it uses."""

from ganvas.core.old_names import getattr_of

__getattr__ = getattr_of(__name__)
