"""Our maze beside the Kheperax package."""
