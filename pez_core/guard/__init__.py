"""The guard, which keeps prompts away from concepts.

`guard` has the thresholds and the penalty in feature space. `neutral` is the space of neutral
prompts in which concepts are compared. `concept_words` lists the words that name a concept.
"""
