"""Afterwork in the application's own session: requests become tickets with RootIds, and machines move and log
transitions.

`later` is `aw.later`, `ticket_rows` what a flush does to tickets, `current_work` says which work runs, and `machine/`
moves objects. `listeners` registers all of this with SQLAlchemy as soon as anything here is imported, which
`import afterwork` does.
"""

from afterwork.saving import listeners as listeners
