"""The arguments of works: JSON in a ticket, written and read by the annotations of the parameters."""
