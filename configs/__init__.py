"""Configuration files; a folder of its own so that an installed copy finds them."""
