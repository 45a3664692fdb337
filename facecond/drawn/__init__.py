"""Faces drawn by program: who they are, where things lie on them, how they are painted."""
