"""What every part of Ganvas uses: files, settings, seeds, checkpoints, a run's folder. It knows no kind of sample."""
