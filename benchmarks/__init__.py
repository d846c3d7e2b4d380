"""What `make bench` measures: this package against PostgreSQL's own limit and against other ways to load a bill.

Not a test: nothing here can fail a build. Each benchmark is a module with `run(options) -> list[Result]`.
"""
