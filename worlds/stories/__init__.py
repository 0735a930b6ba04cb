"""What can happen in a world: each story brings one thing on, or a few, from birth to end."""
