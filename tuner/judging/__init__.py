"""From measurements to decisions: objectives, limits, dominance and statistics."""
