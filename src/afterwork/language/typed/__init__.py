"""The meaning of expressions: the types, the members of a model, the signatures of operators, and the typed tree."""
