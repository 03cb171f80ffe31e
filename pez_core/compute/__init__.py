"""Fast computation on each machine.

`devices` maps names to devices and precisions. `precision` chooses the fastest precision. `linear`
is the frozen linear layer. `inference` converts tensors made in inference mode.
"""
