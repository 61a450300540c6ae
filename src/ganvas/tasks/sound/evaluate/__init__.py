"""What `ganvas evaluate` measures of drawn sounds."""
