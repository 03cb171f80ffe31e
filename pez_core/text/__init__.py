"""Exact conversion between text and token ids: vocabulary, templates, edits, long texts."""
