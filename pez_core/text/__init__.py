"""The exact way from text to token ids and back: vocabulary, templates, edits, long texts."""
