"""The exit code that several files of `pez` share; all of them are told in the package's head."""

INTERRUPTED = 130  # by Ctrl-C
