"""Training a network on with rounding in its forward pass."""
