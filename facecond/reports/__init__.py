"""Pictures, curves, tables and the report page."""
