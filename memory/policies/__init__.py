"""What memories give up and what they make of it: one policy, one small file."""
