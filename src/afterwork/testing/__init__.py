"""Tests of an application: its jobs run inside the test, in the test's own transaction.

The fixture `afterwork` is a `Testing`. pytest finds it by itself, in the module `afterwork_pytest`. See
docs/howto/testing.md.
"""

from afterwork.testing.harness import AsyncTesting, Testing
from afterwork.testing.movable_clock import MovableClock
from afterwork.testing.recipe import rolled_back
from afterwork.testing.requests import Asked

__all__ = ["Asked", "AsyncTesting", "MovableClock", "Testing", "rolled_back"]

pytest_plugins = ["afterwork_pytest"]
"""For those who name this module as a plugin, where that one wasn't found."""
