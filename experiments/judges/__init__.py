"""How good language models and embeddings are as judges of texts."""
