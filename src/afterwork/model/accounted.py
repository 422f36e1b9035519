"""Statements of Afterwork's own, which run beside what a job reads."""

ACCOUNTED = "afterwork_accounted"
"""The execution option that says: what this statement reads is no dependency, or is known already."""

FOR_MANY = object()
"""Its value where an end is loaded for all objects that have it, at the first that is asked for it."""

ROOT = object()
"""Its value where the object itself is loaded that a run is about: no run would be there without it."""
