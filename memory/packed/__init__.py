"""Reading what the block codec packed, without a detour: into pages, or right into attention."""
