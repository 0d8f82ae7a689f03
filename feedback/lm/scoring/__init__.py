"""Labels, ratings and structured replies, by the best means that an endpoint has."""
