"""Changes made to conditions: parts exchanged between faces, maps made to agree with attributes."""
