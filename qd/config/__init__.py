"""From the words that a user types to the components of a search."""
