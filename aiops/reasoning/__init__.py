"""From evidence to ranked causes: retrieval, paths, the unlearned prior, ranking, explanation."""
