"""Quality, measured through the real pipeline."""
