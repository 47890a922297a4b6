"""All parameters of a stack, the rules between them, and what a library makes of both: data and its readers."""

from tuner.catalogue.catalogue import FOLDER, Catalogue, every, load
from tuner.catalogue.parameters import Parameter
from tuner.catalogue.places import is_stack, stacks

__all__ = ["FOLDER", "Catalogue", "Parameter", "every", "is_stack", "load", "stacks"]
