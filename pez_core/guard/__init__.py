"""Concepts that prompts should avoid: thresholds in a neutral feature space, and words."""
