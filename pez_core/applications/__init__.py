"""What is built on the search: mixing, distillation, style, attribution."""
