"""Tools that make parts of the documents from the notebooks."""
