"""Detection in the stream: cheap detectors on every series and every kind of line, exact ones on what they point at."""
