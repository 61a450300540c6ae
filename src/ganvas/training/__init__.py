"""Training: the loop, its state, batches and losses, and the contract that every task fulfils."""
