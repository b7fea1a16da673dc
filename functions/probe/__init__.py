"""Probe: reads a recording's header, makes the asset, opens its run, asks for the first steps."""
