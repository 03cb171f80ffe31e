"""What the program ends with where that has a name; all codes are told in `cli`."""

INTERRUPTED = 130  # by Ctrl-C
