"""Which kept tokens are read for a question: what runs when a question is known, never before."""
