"""The search for hard prompts.

`searcher` has `learn_prompt` and the prepared `Searcher`. `search_loop` is the loop, and `problem`
is what it needs from a model: prompts, texts and their scores. `text_score` scores a text.
`optimizers` move the prompts up an `objective`: `slots` insert learned embeddings into a prompt,
and `projection` finds the nearest token of an embedding. `refine` swaps single tokens.
`best_tracker` ranks the texts, `state` is that of one search, and `progress` is what a callback
gets. `fluency` is the bigram prior, `cuda_graph` records a step, and `methods` reads the names of
methods. `reference` is the paper's algorithm, the oracle of the tests.
"""
