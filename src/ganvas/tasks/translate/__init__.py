"""Translate: pictures of one kind into another, in both directions."""
