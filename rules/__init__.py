"""Domain knowledge as data: YAML rule packs compiled to CLIPS."""

#: What the start-up check looks for: another distribution also installs a package called ``rules``.
DISTRIBUTION = "kg-aiops"
