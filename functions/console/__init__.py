"""The page on which people upload, look, listen and edit; ``pages`` says how its files are served."""
