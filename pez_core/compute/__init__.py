"""Fast computation on each machine.

`devices` maps names to devices and precisions. `precision` chooses the fastest precision. `linear`
is the frozen linear layer. `threads` says how many threads pay, and how they wait. `inference`
converts tensors made in inference mode.
"""
