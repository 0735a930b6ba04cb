"""asyncio: sources, cameras, conversations, the server, replays and the command line."""
