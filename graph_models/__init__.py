"""The graph attention network: encoding, training on simulated faults, and serving as a bounded correction.

``network``, ``training`` and ``export`` alone import torch; serving needs ONNX Runtime alone.
"""
