"""`ganvas evaluate` of a database: drawn twins next to the real one, and next to one half of it against the other."""
