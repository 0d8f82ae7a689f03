"""Workers: their cost, how busy they are, whether they grow."""
