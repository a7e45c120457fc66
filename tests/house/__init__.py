"""House rules of the repository. A checker takes text and returns complaints; its test also feeds it a bad example."""
