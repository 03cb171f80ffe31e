"""The messages of errors in the source, each as a template: {0}, {1} are what differs."""

from __future__ import annotations

import ast
from itertools import count

from tests.support.sources import parsed, sources


def templates(folder: str) -> set[str]:
    """The messages of all errors that a folder's code raises itself."""
    found = set()
    for path in sources(folder):
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call):
                name = getattr(node.exc.func, "id", "")
                if name.endswith("Error") and node.exc.args:
                    found.add(_template(node.exc.args[0]))
    return found - {"{0}"}


def _template(message: ast.expr) -> str:
    numbers = count()

    def text(part: ast.expr) -> str:
        if isinstance(part, ast.Constant):
            return str(part.value)
        if isinstance(part, ast.JoinedStr):
            return "".join(map(text, part.values))
        if isinstance(part, ast.BinOp):
            return text(part.left) + text(part.right)
        return f"{{{next(numbers)}}}"

    return text(message)
