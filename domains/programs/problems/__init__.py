"""Problems for programs: our own, files in the form of HumanEval, and the user's own evaluators."""
