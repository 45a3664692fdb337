"""Changes made to conditions: parts exchanged between faces."""
