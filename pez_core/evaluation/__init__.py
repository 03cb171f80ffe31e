"""Evaluation of prompts by the pictures that a diffusion model paints from them (arXiv 2302.03668
§4.1). docs/evaluation.md describes the protocol.

`plan` holds the settings, and `phases` runs the three phases: `prompting` learns or reads prompts
(`captions`), `painting` has them painted (`pez_core.painter`), and `judging` compares the pictures.
`folder` holds the files. `table`, with its `intervals`, and `sheet` show the results.
"""
