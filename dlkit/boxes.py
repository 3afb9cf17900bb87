"""What Jupyter draws and a terminal prints: verdicts in boxes, and tables."""

import html
import sys

# Color of border and background. The signs and words carry the meaning too, for readers who do not see the colors.
_COLORS = {"good": "#009E73", "bad": "#C0392B", "open": "#7F7F7F"}


class Box:
    """A verdict that Jupyter draws as a box and a terminal prints as text.

    `kind` is "good" (green), "bad" (red) or "open" (gray). The box says the verdict in words, such as "✓ Holds:", then
    the sentence that is judged, and in smaller type a detail, such as the measured value. `plain` is all of it as text.
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
        if "ipykernel" in sys.modules:
            from IPython.display import display

            display(self)
        else:
            print(self.plain)


def html_table(rows, cell="<td>{}</td>"):
    """The HTML of a table; its rows are sequences of strings, of which the first are the titles of the columns."""
    head, *body = [[html.escape(text) for text in row] for row in rows]
    lines = ["".join(f"<th>{text}</th>" for text in head), *("".join(map(cell.format, row)) for row in body)]
    return f"<table>{''.join(f'<tr>{line}</tr>' for line in lines)}</table>"
