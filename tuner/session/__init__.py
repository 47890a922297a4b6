"""The phases of one tuning."""
