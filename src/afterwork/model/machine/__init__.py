"""State machines of model objects: what a class declares, and how one of its objects moves.

`declare` is `aw.machine`, `chart` the glue to the library that runs a machine, `states` how its states stand in a
column, `defaults` what a new object is given before it enters the first one, `moves` what is noted of a move and how
two movers are kept apart, `rivals` transitions that were possible at once, `within` requests that a state withdraws.
"""
