"""The classes of what Afterwork's decorators leave in the body of a mapped class."""

from afterwork.model.derived import Derived
from afterwork.model.machine.declaration import Machine
from afterwork.model.method import Method

DECLARATIONS = (Method, Derived, Machine)
"""For libraries that ask what each attribute of a class is, as pydantic does: `ignored_types=aw.DECLARATIONS`."""
