"""Puts files into use and takes them back; knows nothing of profiles."""

from tuner.deploy.change import Change, planned
from tuner.deploy.journal import Applied, Journal
from tuner.deploy.placing import other_names, put
from tuner.deploy.taking_back import last, undo, undoing

__all__ = ["Applied", "Change", "Journal", "last", "other_names", "planned", "put", "undo", "undoing"]
