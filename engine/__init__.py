"""The model and the one thread that runs it. The scheduler decides; the runner does."""
