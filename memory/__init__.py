"""Keys and values after the language model saw them: pages, snapshots, eviction, reading."""
