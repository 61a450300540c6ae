"""Rules that hold in every row of a table: what they are, how they are found, and how drawn rows keep them."""
