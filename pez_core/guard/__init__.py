"""What prompts are to keep away from: concepts in a neutral feature space, and words."""
