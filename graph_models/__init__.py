"""The graph attention network: encoding, training on simulated faults, and serving as a bounded correction.

``network`` and ``training`` are the only modules that import torch; serving needs ONNX Runtime alone.
"""
