"""Real clips: whether a model answers the simplest questions about them better than by chance."""
