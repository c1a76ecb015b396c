"""Who listens: frozen views of a running flow. Imports `plan` and `link`."""
