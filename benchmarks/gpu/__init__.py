"""What `python -m benchmarks.gpu_session` measures on a card, each row on its own."""
