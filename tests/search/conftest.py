"""One thread, as in `tests/training`."""

from tests.training.conftest import _one_thread

__all__ = ["_one_thread"]
