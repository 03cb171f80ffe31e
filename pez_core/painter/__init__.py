"""What paints pictures from prompts.

`settings` says how, `pipeline` loads a painter and paints with it, `pipeline_check` refuses folders
that ask for code. `demo` is the embedded painter, made of a `denoiser` of our own and the embedded
CLIP's `text_encoder`. `picture_file` saves what was painted; `loop_sheet` shows it with the picture
and the words, which `text_lines` breaks into lines. diffusers and transformers are imported only
when they are needed.
"""
