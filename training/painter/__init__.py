"""Trains the embedded painter, from the same drawings as the embedded CLIP."""
