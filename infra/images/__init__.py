"""Images of the functions, and the check that what they install is enough."""
