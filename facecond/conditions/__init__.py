"""What a model is told: one file per condition, the table that lists them, and what joins them."""
