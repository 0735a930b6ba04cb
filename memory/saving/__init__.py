"""Memories on disk: what a camera held, written whole or not at all, checked before it is used."""
