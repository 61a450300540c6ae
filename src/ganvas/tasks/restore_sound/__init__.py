"""Restore sounds: clean ones from noisy ones."""
