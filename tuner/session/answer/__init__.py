"""What a session answers, as records and words."""
