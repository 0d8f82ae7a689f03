"""Size, bit operations and latency of a configuration."""
