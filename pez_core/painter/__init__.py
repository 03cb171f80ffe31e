"""What paints pictures from prompts.

`settings` says how, `pipeline` loads a painter and paints with it, `pipeline_check` refuses folders
that ask for code. `demo` is the embedded painter, made of a `denoiser` of our own and the embedded
CLIP's `text_encoder`. diffusers and transformers are imported only when they are needed.
"""
