"""Requests, replies, retries, and the engine that sends many at once."""
