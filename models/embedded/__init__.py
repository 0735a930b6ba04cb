"""The embedded default: a checkpoint folder that stock transformers loads; see README.md."""
