"""A dry run that names faults before any budget is spent."""
