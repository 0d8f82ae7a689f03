"""Configs as files that others run: ONNX for networks of convolutions, qwix rules for transformers (`qd export RUN --format`).

support (which options an exporter carries) and codes (the integers and tables behind the bank's values) come first; trace,
onnx_file and onnx_run write ONNX, qwix_run writes rules of qwix; deploy runs what was written and compares it with the bank.
"""
