"""Ganvas Studio: a door in the browser. It starts the command line, reads the runs' folders, and uses trained models.

Nothing in the library knows of it: without this folder all the rest works.
"""
