"""Studies: the tables behind the claims of docs, and benchmarks. One folder a claim; README.md is their contents."""
