"""Files: weights and training states, pictures and label maps, records; atomic and hashed."""
