"""Diagrams of a model as SVG: classes, machines, and dependencies; and charts."""
