"""What every part of Ganvas uses: files, settings, seeds, checkpoints, runs. It knows no type of samples."""
