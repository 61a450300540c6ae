"""Several tables that hang together by keys: trained one after the other, drawn as one database."""
