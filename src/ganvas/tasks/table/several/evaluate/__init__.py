"""`ganvas evaluate` of a database: drawn twins beside the real one, and beside one half of it against the other."""
