"""Mend: clean sounds from noisy ones."""
