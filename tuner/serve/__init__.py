"""Pages that show the sessions of a store while they run: for reading only, from this host alone, in no session's way."""
