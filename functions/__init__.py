"""One folder a function: ``main.py`` is its trigger, the files beside it are its engines."""
