"""Rows of a table as a kind of sample: reading, columns and their kinds, rows as tokens and back, previews."""
