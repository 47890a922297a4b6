"""What a person sees while and after a command runs: text, views, failures, signals."""
