"""CLIP models, from a name to the features of texts and pictures.

`models` has the loaded model, which scores texts against targets. `model_names` resolves a name to
`architecture` and file, and `source` holds them before loading. `weights_file` reads safetensors,
and `scaled_weights` float8 with scales. `vision_config` checks what is said of an image tower.
`weights` and `vision_weights` convert the tensor names of other libraries. `tensor_shapes` derives
an architecture from a file alone. `text_tower` and its `block` are the text encoder, and `ensemble`
joins several. `image_tower` chooses between the image encoders of `vision` and of open_clip.
"""
