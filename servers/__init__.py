"""Real servers for tests and for trying out, from Maven Central jars and Debian packages: no container engine needed."""
