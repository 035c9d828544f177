"""Domain knowledge as data: YAML rule packs compiled to CLIPS."""
