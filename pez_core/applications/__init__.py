"""Applications of the search: mixing, distillation, style, attribution."""
