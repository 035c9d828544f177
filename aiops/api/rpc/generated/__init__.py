"""Made from ``aiops_v1.proto``; never edited by hand."""
