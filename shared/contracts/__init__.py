"""What crosses a boundary: context, asset, artifact, step request, run, engine."""

import os

# Before the first model is built: else pydantic looks for plugins in every package that is installed.
os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
