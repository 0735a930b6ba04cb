"""What trains: the embedded default model from nothing but rendered scenes."""
