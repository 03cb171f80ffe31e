"""Applications of the search.

`mixing` joins concepts into one prompt. `distillation` shortens a prompt. `style` applies the style
of pictures to new subjects. `attribution` measures the contribution of each token and finds
alternatives to each word. `word_edits` proposes prompts that differ in one word.
"""
