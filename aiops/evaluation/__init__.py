"""How right the answers are: labels, measures with intervals, plain baselines, and the bench that puts them together.

Knows neither stores nor parsers: cases are folders, and whoever analyses them is a callable.
"""
