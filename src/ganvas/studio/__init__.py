"""Ganvas Studio, the web interface. It starts the command line, reads the runs' folders, and uses trained models.

Nothing else in the library depends on it.
"""
