"""Jobs as data: view models, methods, timers and calculated members in a TOML or YAML file beside the model.

[methods."Customer.assign_number"]
precondition = "self.number->isNull"
do = "let s = NumberSeries.allInstances->first in (s.last := s.last + 1; self.number := s.last)"

[derived."Customer.total"]
value = "self.orders->collect(total)->sum"

[view_models.SeeOrders]
root = "Order"
when = { every = { minutes = 10 }, criteria = "Order.allInstances->select(o | not o.seen)" }
actions = [{ name = "see", do = "self.seen := true" }]
"""
