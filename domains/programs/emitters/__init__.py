"""Emitters of programs: one loop with operators, islands, PlanSearch and RethinkMCTS; all ask the same client."""
