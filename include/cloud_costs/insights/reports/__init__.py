"""Reports for people who read mail: a digest of a day, of a week, and of a month's data quality."""
