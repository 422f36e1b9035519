"""A shop with FastAPI, SQLAlchemy's AsyncSession and Afterwork."""
