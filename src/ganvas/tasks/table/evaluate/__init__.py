"""How good drawn rows are, and whether they give training rows away."""
