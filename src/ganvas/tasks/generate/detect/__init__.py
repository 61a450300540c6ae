"""The discriminator as a detector."""
