"""Circuits: molecules, codes, logic, classifiers, speed."""
