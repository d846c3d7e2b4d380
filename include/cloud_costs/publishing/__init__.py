"""The life of a billing month: plan, load, normalize, audit, publish, and how long its lines are kept."""
