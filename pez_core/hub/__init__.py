"""Files from other places.

`download` gets the weights of open_clip's models. `open_clip_files` reads single files of the
open_clip package without importing it. `configuration` reads JSON files with a check of every
entry. `bars` hides the progress bars of other libraries.
"""
