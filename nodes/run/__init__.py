"""One run of a node: inputs, learning, measuring, live progress, messages to the front end."""
