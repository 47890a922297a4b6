"""Views of stored sessions."""
