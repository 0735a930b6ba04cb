"""The only place that knows an architecture: adapters over transformers."""
