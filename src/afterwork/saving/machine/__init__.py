"""State machines at work on objects, in the session that these are in.

`player` has `aw.machine`, `play` is a machine at work on one object, `object_view` how the library sees that object,
`defaults` the values of a new object before it enters its first state, `unsaved_moves` the moves noted with an object
until it is saved, `transition_log` what is written then, `conflicts` transitions that were possible at once,
`source_state` keeps two who move one object apart, `state_scoped` withdraws the requests of a state that is left, and
`while_in` is `aw.while_in`.
"""
