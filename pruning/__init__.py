"""Which visual tokens of a segment are kept before the language model sees them: one method, one file."""
