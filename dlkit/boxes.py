"""Verdicts that are drawn as boxes in Jupyter and printed as plain text everywhere else."""

from __future__ import annotations

import html
import sys

# Color of border and background. The signs and words carry the meaning too, for readers who do not see the colors.
_COLORS = {"good": "#009E73", "bad": "#C0392B", "open": "#7F7F7F"}


class Box:
    """A verdict that Jupyter draws as a box and a terminal prints as text.

    Args:
        kind: String, "good" (green), "bad" (red) or "open" (gray).
        verdict: String, the verdict in words, such as "✓ Holds:". It comes first, also for a screen reader.
        text: String, the sentence that is judged.
        detail: String, a second line in smaller type, such as the measured value; default "", no second line.
        plain: String, the complete box as plain text.
    """

    def __init__(self, kind, verdict, text, detail="", *, plain):
        self.kind, self.verdict, self.text, self.detail, self.plain = kind, verdict, text, detail, plain

    def _repr_html_(self):
        color = _COLORS[self.kind]
        verdict, text, detail = (html.escape(part) for part in (self.verdict, self.text, self.detail))
        small = f'<br><span style="font-size: 90%; opacity: 0.8">{detail}</span>' if detail else ""
        return (
            f'<div role="note" style="border: 1px solid {color}; border-left: 6px solid {color}; border-radius: 4px; '
            f'background-color: {color}1A; padding: 6px 12px; margin: 4px 0; max-width: 60em">'
            f"<strong>{verdict}</strong>&ensp;{text}{small}</div>"
        )

    def __repr__(self):
        return self.plain

    def show(self):
        """Displays the box in a notebook and prints its text elsewhere."""
        if _in_notebook():
            from IPython.display import display

            display(self)
        else:
            print(self.plain)


def _in_notebook():
    """Whether this process is a Jupyter kernel. IPython is imported only where ipykernel is loaded already."""
    if "ipykernel" not in sys.modules:
        return False
    from IPython import get_ipython

    return hasattr(get_ipython(), "kernel")
