"""Our maze compared with the Kheperax package."""
