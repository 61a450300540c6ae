"""The latent space of sounds: walks, inversion, spoken texts."""
