"""What left the hot memory and can be asked for again: archived, found by question, thawed."""
