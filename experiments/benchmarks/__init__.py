"""Speed, beside pyribs, QDax and the limit of the evaluation alone."""
