"""Emitters that learn a critic of their robots' steps and vary policies by its gradient: PGA-MAP-Elites and DCRL-MAP-Elites."""
