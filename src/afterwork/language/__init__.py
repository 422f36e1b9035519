"""OCL and EAL: text → tree → types checked against the mappers → value, or SQL. Knows SQLAlchemy's mappers only.

`query` is the way in:

exceeds = compile_query("self.Orders->exists(o | o.Total > 100)", Names.of(Base), Customer)
exceeds(customer)
"""
