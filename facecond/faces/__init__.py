"""The vocabulary of faces: classes of a label map, attributes, and how people write them."""
