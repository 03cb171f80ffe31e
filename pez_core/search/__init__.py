"""The search: projection, objective, optimisers, refinement, and the loop around them."""
