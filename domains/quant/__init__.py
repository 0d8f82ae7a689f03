"""Which bits, formats and roundings for each layer of a trained network: quantization configs as a domain.

Rooms: data and networks (what is quantized), quantizers and bank (how, every choice prepared once), domain (what is
searched), sensitivity (what can be told without a full evaluation), evaluations (what was found out, kept on disk).
"""
