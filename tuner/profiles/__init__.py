"""Profiles: what they are, where they are found, and how they are checked, translated and migrated."""
