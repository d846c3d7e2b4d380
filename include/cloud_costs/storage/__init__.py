"""Object storage: list folders and read files. `files` defines the interface, and each cloud has a module."""
