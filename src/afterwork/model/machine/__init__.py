"""State machines as a class declares them; `saving.machine` moves an object.

`declaration` is what `aw.machine` makes, `chart` what Afterwork needs of the library's charts, `states` how the states
of a machine stand in one column, `state_scope` the names of work that is asked for while a state lasts.
"""
