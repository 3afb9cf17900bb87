"""Tools for the notebooks: execute, check and mutate them, and generate parts of the documents from them."""
