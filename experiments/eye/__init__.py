"""What a trained eye is worth: learning from comparisons by its features, and pictures for its classes."""
