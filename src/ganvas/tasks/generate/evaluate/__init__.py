"""Evaluation of the pictures of a generator."""
