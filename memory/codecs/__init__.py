"""Codecs of frozen keys and values: few bits per number, one method per file."""
