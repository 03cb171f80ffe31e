"""CLIPs inside ComfyUI: those of the graph, those of files, and their memory."""
