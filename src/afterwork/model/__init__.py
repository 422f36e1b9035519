"""What an application says: its tickets, methods and view models. Knows SQLAlchemy, and no database."""
