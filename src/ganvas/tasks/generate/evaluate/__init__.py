"""How good the drawings of a generator are."""
