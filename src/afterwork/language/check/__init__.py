"""Tree → typed tree: names and operators are resolved, and types checked, against a model."""
