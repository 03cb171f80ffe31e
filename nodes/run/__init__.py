"""One run of a node: reading inputs, learning, live progress, messages to the front end."""
