"""Hears what is said and played: the semantic timeline, captions; what they share stands beside them."""
