"""Folders of a workspace: finding packs and runs, what must be equal to continue one, and where results come from."""
