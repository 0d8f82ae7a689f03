"""A config as a file that others run: ONNX for networks of convolutions, qwix rules for transformers; and what cannot be one.

support (who can carry what), trace (what a network computes besides its layers), onnx_file, qwix_rules, deploy (write,
run, compare, mark), command (`qd export RUN --format onnx`).
"""
