"""The configuration: the sources, and the files that they name."""
