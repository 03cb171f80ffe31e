"""CLIP models inside ComfyUI: from the graph, from files, and their memory."""
