"""The Costs page: its app, its queries, and what a browser gets (ADR 12)."""
