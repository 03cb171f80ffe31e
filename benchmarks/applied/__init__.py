"""The applications of the paper's §4.2, one in each file: its worked examples, its measurements
over reserved pictures, and its table. `benchmarks/applied/applications.py` runs them.

Each has EXAMPLES (command lines without `pez`), COUNT (the number of cases), `run(case)` (the
figures of one case) and `table(cases)` (lines of Markdown).
"""
