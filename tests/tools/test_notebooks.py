"""Normalized notebooks: what `normalize` makes of outputs and cell ids."""

import nbformat

from tools.notebooks import normalize


def test_normalize_joins_printed_text_to_one_output():
    def normalized(*pieces):
        outputs = [nbformat.v4.new_output("stream", name="stdout", text=piece) for piece in pieces]
        cell = nbformat.v4.new_code_cell("print()", outputs=outputs)
        return normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs

    assert normalized("solved", "\n", "next\n") == normalized("solved\nnext\n")
    assert len(normalized("solved\n", "next\n")) == 1


def test_normalize_removes_overwritten_lines():
    """For example, `runtime.setup` prints that TensorFlow is starting and then overwrites that line."""
    output = nbformat.v4.new_output(
        "stream", name="stdout", text="before\nStarting …\r          \rlesson tier\nafter\n"
    )
    cell = nbformat.v4.new_code_cell("print()", outputs=[output])
    outputs = normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs
    assert outputs[0].text == "before\nlesson tier\nafter\n"


def test_normalize_removes_widgets_and_keeps_their_static_picture():
    widget = nbformat.v4.new_output("display_data", {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}})
    picture = nbformat.v4.new_output("display_data", {"text/plain": "a picture"})
    cell = nbformat.v4.new_code_cell("1", outputs=[widget, picture])
    assert normalize(nbformat.v4.new_notebook(cells=[cell])).cells[0].outputs == [picture]


def test_normalize_gives_equal_cells_different_ids():
    cells = [nbformat.from_dict({"cell_type": "markdown", "metadata": {}, "source": "same"}) for _ in range(3)]
    ids = [cell.id for cell in normalize(nbformat.from_dict({"cells": cells})).cells]
    assert ids == [ids[0], f"{ids[0]}-2", f"{ids[0]}-3"]
