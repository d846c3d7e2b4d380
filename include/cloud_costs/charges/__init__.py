"""What exported lines mean: FOCUS charges, and the views that people query."""
