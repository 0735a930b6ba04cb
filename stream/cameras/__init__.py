"""A camera: a source, its memory, and the answers being given about it."""
