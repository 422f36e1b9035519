"""Statements of Afterwork's own, which run beside what a job reads."""

ACCOUNTED = "afterwork_accounted"
"""The execution option that says: what this statement reads is no dependency, or is known already."""

ROOT = object()
"""Its value where the object itself is loaded that a run is about: no run would be there without it."""
