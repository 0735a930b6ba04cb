"""The words all folders share. No asyncio, no I/O, no model; importing it costs nothing."""
