"""Does the picture come back? Prompts judged by the pictures that a diffusion model paints from
them (arXiv 2302.03668 §4.1): the protocol is in docs/evaluation.md.

`plan` says what is asked for, `phases` runs it, and `table` and `sheet` show what came out.
"""
