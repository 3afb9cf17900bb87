"""Experiments that are too long for a lesson, one file per lesson; `python -m benchmarks.experiments NN` runs one.

A file NN_name.py belongs to the notebook of the same name and defines

    TITLE       String, what the table shows, in one line
    DATA        String, the name of the data set, for `dlkit.data.load`
    FUNCTIONS   Names of the notebook's functions that it uses
    SETTINGS    Dictionary of everything that was chosen; it is written to the table
    SHOW        Dictionary {"rows", "columns", "values": the key of a row that is shown there}
    ROWS        List with a dictionary of keyword arguments of `measure` for each row
    prepare     Function (lesson, dataset) that gives the notebook's functions what they work on
    measure     Function (lesson, **row) that returns a dictionary of results, with the values that SHOW names
"""
