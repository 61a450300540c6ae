"""Restore: clean pictures from degraded ones."""
