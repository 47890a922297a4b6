"""What holds for every test."""

from hypothesis import settings

# How long an example takes is up to whatever else the machine does.
settings.register_profile("unhurried", deadline=None)
settings.load_profile("unhurried")
