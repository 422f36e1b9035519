"""State machines at work on objects, in the session that these are in.

`player` has `aw.machine`, `play` is a machine at work on one object, `object_view` how the library sees that object,
`transition_log` the moves that are written when it is saved, and `state_scoped` has `aw.while_in` and withdraws the
requests of a state that is left.
"""
