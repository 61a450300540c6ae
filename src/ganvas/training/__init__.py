"""Training: the loop, its state, batches, losses, and what a task owes the loop."""
