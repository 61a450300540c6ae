"""Rows of a table: `ganvas train table`."""
