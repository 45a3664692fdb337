"""Photographs: where a face is, how CelebA-HQ frames it, and the folder of those that were parsed."""
