"""What memories are worth: every preset at equal bytes, about now, about the past, hours later."""
