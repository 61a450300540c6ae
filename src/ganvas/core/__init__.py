"""What every part of Ganvas uses: files, settings, seeds, checkpoints, runs. Nothing here depends on the type of samples."""
