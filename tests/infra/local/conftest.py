"""The embedded home and the toy steps of the runtime's tests."""

from tests.shared.conftest import home, toy

__all__ = ["home", "toy"]
