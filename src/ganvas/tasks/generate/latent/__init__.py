"""Uses of the latent space: walks, inversion, writing."""
