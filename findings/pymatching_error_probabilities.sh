#!/usr/bin/env bash
# pymatching 2.4.0. Guess: Matching(H, error_probabilities=p) decodes to the most likely error under p, as a graph made from a detector error model does.
# Observed: the probabilities are stored with the edges and used for sampling only (the docstring says so); every weight stays 1.0, so the decoder
# answers with the fewest faults: one of probability 0.001 where two of 0.4 are 444 times as likely. weights=log((1-p)/p) is right.
# Why it matters: a study of biased noise measures the decoder of uniform noise, and nothing warns.
set -euo pipefail
work=$(mktemp -d) && trap 'rm -rf "$work"' EXIT
python3.11 -m venv "$work/env" && "$work/env/bin/pip" install -q pymatching==2.4.0 stim==1.16.0 numpy==2.4.6 scipy==1.17.1
MPLBACKEND=Agg "$work/env/bin/python" - <<'PYTHON'
import numpy as np, pymatching, stim

checks, syndrome, p = np.array([[1, 1, 0], [0, 1, 1]]), [1, 0], np.array([0.001, 0.4, 0.4])
model = "error(0.001) D0 L0\nerror(0.4) D0 D1 L1\nerror(0.4) D1 L2"
decoders = {
    "error_probabilities": pymatching.Matching(checks, error_probabilities=p),
    "weights": pymatching.Matching(checks, weights=np.log((1 - p) / p)),
    "detector error model": pymatching.Matching.from_detector_error_model(stim.DetectorErrorModel(model)),
}
faults = {name: decoder.decode(syndrome).tolist() for name, decoder in decoders.items()}
weights = [edge["weight"] for *_, edge in decoders["error_probabilities"].edges()]
likelihood = {name: float(np.prod(np.where(fault, p, 1 - p))) for name, fault in faults.items()}
ratio = likelihood["weights"] / likelihood["error_probabilities"]
print("pymatching", pymatching.__version__, "| faults:", faults, "| weights from probabilities:", weights, "| likelihood ratio:", round(ratio))
assert faults == {"error_probabilities": [1, 0, 0], "weights": [0, 1, 1], "detector error model": [0, 1, 1]} and weights == [1.0] * 3 and ratio > 100
PYTHON
