"""report.html: a run's folder told to a person."""
