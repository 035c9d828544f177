"""Simulated faults on random sites, as the same values that real sources give.

Used to train where no labels exist; names, sizes, exporters' vocabularies, noise and what is missing all vary by seed.
"""
