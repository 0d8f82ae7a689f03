"""Which bits, formats and roundings for each layer of a trained network: quantization configs as a domain.

By stage: networks (what is quantized, its data and weights), quantize (every option of every layer, prepared once), tune
(training on with rounding in the forward pass), cost (size, bit operations, latency), predict (damage without a full
evaluation), solve (the exact solver, and the emitter that uses it), export (configs as files). domain is what is searched;
options, preconditions, figures and evaluations belong to it.
"""
