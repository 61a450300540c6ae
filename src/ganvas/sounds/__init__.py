"""Sounds: their shape, reading, packing, spectrograms and back, files, previews."""
