"""The meaning of exported lines: FOCUS charges, and the views that people query."""
