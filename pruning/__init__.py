"""Which visual tokens are kept before the language model sees them: one method, one file."""
