"""The steps of a session, each a rule over what was measured before."""
