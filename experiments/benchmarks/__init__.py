"""Speed, compared with pyribs, QDax and the limit of the evaluation alone."""
