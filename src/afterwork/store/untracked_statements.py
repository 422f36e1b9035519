"""Statements of Afterwork's own: what they read is no dependency of the code that runs, or is recorded elsewhere."""

UNTRACKED = "afterwork_untracked"
"""The execution option that marks such a statement. Its value is True, or one of those below."""

BATCH_LOAD = object()
"""Marks the load of a relationship for all objects of a batch, made when the first of them asks for it."""

ROOT_LOAD = object()
"""Marks the load of a run's own object, without which there would be no run."""

OWN = {UNTRACKED: True}
"""The execution options of a statement that no dependency comes from."""
