"""Devices, precisions and the linear layer: how this machine computes fastest."""
