"""Which function handles a message: for the embedded home's workers, who do what all functions do."""

from __future__ import annotations

import importlib

from shared.contracts.message import Message
from shared.homes.home import Home
from shared.messages.delivery import Handler


def handler_of(function: str) -> Handler:
    """What hands messages to ``functions/<function>/main.py``."""

    def handle(message: Message, home: Home) -> None:
        importlib.import_module(f"functions.{function}.main").handle(message, home)

    return handle
