"""Robots in MuJoCo: how fast they are simulated, which method finds the best gaits, what a map is worth when a joint breaks."""
