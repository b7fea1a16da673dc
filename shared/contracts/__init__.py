"""What crosses a boundary: context, asset, artifact, step request, run, engine."""
