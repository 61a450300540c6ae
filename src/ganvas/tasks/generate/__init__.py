"""Generate: draw new pictures from noise."""
