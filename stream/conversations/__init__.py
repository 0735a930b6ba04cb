"""One client each: what it says, what it is told, and how fast."""
