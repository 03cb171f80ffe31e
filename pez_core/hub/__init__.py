"""Files from other places.

`download` gets the weights of open_clip's models. `open_clip_files` reads single files of the
open_clip package without importing it. `bars` hides the progress bars of other libraries.
"""
