"""What a session measures, remembers and tells while it does."""
