"""Statements of Afterwork's own, whose reads are no dependencies of the running code, or are recorded elsewhere."""

UNTRACKED = "afterwork_untracked"
"""The execution option that marks such a statement. Its value is True, or one of those below."""

BATCH_LOAD = object()
"""A marker for the load of a relationship for all objects of a batch, when the first of them asks."""

ROOT_LOAD = object()
"""A marker for the load of a run's own object, without which the run would not exist."""

OWN = {UNTRACKED: True}
"""The execution options of a statement that creates no dependency."""
