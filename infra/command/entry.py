"""What the script ``rushes`` calls: its modules take a moment to load, and Ctrl-C may come in it."""

from __future__ import annotations

import signal


def main() -> None:
    """Run the command. Until its modules are loaded Ctrl-C ends the process without a word: nothing has
    begun, and Python would print where in whose import it was."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # otherwise born deaf to it, in a script's background
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from infra.command.main import main as run

    signal.signal(signal.SIGINT, before)
    run()
