"""Sounds from noise."""
