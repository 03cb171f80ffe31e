"""The files of pictures: what their names and first bytes say, metadata, files that end too early,
and what decoding costs. `pez_core.pictures` is the way in."""
