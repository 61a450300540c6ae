"""What is done with the latent space: walks, nearest points, writing."""
