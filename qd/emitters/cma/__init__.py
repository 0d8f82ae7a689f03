"""CMA-ME, CMA-MAE and their evolution strategies in JAX."""
