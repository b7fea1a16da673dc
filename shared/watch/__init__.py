"""Looking on: the log, traces, the health of what is leaned on."""
