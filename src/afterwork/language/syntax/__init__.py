"""Text → tree: what an expression says, before anything is known of the model."""
