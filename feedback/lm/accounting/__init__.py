"""What calls cost and may cost: ledger, budget, limits, gate, cache."""
