"""From stored runs to tables, figures and files; no domain is built."""
