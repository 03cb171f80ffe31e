"""What paints pictures from prompts, and what it says of prompts without painting.

`settings` says how, `loading` and `pipeline` load a painter and paint with it, `pipeline_check`
refuses folders that ask for code. `demo` is the embedded painter, made of a `denoiser` of our own
and the embedded CLIP's `text_encoder`. `picture_file` saves what was painted; `loop_sheet` shows it
with the picture and the words, which `text_lines` breaks into lines.

`denoising` measures how well a painter denoises a picture under a prompt. By these errors `ranking`
orders prompts, `contributions` says what words add, `improving` edits a prompt, and `choosing` does
both with the candidates of a search. diffusers and transformers are imported only when they are
needed.
"""
