"""The exit codes that have a name; `cli` describes all of them."""

INTERRUPTED = 130  # by Ctrl-C
