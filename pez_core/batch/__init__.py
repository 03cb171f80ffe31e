"""Prompts of many pictures, with one record for each picture.

`inverter` lists a folder and searches. `work` describes any work on many items, which runs here or
by `ray_batch` on a Ray cluster.
`results` writes the records safely and reads them to resume. `caption_files` writes the prompts for
trainers, each as a `whole_file`.
"""
