"""Fast computation on each machine.

`devices` maps names to devices and precisions. `precision` chooses the fastest precision. `linear`
is the frozen linear layer. `threads` limits the threads of small models, and says how idle ones
wait. `inference` converts tensors made in inference mode.
"""
