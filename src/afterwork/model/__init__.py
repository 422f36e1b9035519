"""The declarations of an application: tickets, methods, view models, timers, derived members, machines.

Knows SQLAlchemy's mapping, and no database.
"""
