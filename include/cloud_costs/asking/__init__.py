"""Asking: costs in answer to programs and models, by few typed tools that can change nothing."""
