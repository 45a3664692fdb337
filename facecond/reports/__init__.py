"""Pictures, curves, tables and the page a person looks at."""
