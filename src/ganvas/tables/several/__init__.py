"""Several tables of a database that hang together by keys."""
