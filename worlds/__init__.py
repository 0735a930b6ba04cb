"""Rendered scenes with a log of what truly happened. NumPy and OpenCV only, no model.

A world is a script (what exists when, and where it moves) and a renderer that draws it. Labels
come from the script and never from pixels; everything follows from the world's seed.
"""
