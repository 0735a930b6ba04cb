"""Scores of counterfactual pairs: a video and its changed twin must both be answered rightly."""
