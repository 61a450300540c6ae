"""What a GAN is trained to do: a folder each, with all that only it uses."""
