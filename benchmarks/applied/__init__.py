"""The applications of the paper's §4.2, each a file: its worked examples, what is measured over
reserved pictures, and its table. `benchmarks/applied/applications.py` runs them.

Each has EXAMPLES (command lines without `pez`), COUNT (how many cases), `run(case)` (the figures of
one, in a process of its own) and `table(cases)` (lines of Markdown).
"""
