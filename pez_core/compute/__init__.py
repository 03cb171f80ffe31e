"""How fast and in which precision this machine computes: devices, precisions, the linear layer."""
