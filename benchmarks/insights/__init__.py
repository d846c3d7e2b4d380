"""`make bench-insights`: how right the anomalies and the forecasts are, and how fast."""
