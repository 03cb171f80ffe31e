"""Prompts scored by the pictures that the embedded painter paints from them, as in Table 1 of the
paper. `picture_sets` are the pictures, `methods` make a prompt of each, `prompts` learns them, and
`table` paints them. `levers` and `applied` paint prompts that other benchmarks have saved.
"""
