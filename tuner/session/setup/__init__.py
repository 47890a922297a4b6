"""From a request to a plan that can run."""
