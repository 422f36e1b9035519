"""The manifest store for a database."""

from afterwork.derived.manifest.manifest_store import ManifestStore
from afterwork.derived.manifest.postgresql_manifests import PostgreSQLManifestStore
from afterwork.derived.manifest.sqlite_manifests import SQLiteManifestStore


def manifest_store_of(dialect: str) -> ManifestStore:
    """Return the manifest store on "postgresql" or "sqlite"."""
    return PostgreSQLManifestStore() if dialect == "postgresql" else SQLiteManifestStore()
