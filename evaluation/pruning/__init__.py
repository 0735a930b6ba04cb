"""What pruning costs in right answers: every method at every budget, on the same questions."""
