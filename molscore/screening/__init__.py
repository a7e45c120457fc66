"""A trained model in use: estimate, generate, filter, rank, explain."""
