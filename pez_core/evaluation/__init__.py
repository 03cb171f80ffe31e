"""Evaluation of prompts by the pictures that a diffusion model paints from them (arXiv 2302.03668
§4.1). docs/evaluation.md describes the protocol.

`plan` holds the request, `phases` runs it, and `table` and `sheet` show the results.
"""
