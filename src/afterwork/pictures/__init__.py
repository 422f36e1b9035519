"""Pictures of a model as SVG: class diagrams, machine diagrams, dependency diagrams, and charts."""
