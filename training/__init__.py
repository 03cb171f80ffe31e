"""Training of the small embedded CLIP of `pez_core` on clip-art; see README.md in this folder."""
