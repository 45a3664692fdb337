"""What the model is told, as tokens: attributes, masks, and the table that joins them."""
