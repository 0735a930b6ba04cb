"""Where the tokens of an answer stand: one scheme, one small file."""
