"""Experiments that are too long for a lesson, one file per lesson; `python -m benchmarks.experiments NN` runs one.

A file NN_name.py belongs to the notebook of the same name and defines

    TITLE       what the table shows, one line
    DATA        name of the data set, for `dlkit.data.load`
    FUNCTIONS   names of the notebook's functions that it uses
    SETTINGS    everything that was chosen; written to the table
    SHOW        which keys of a row are the table's rows, columns and values
    ROWS        one dictionary of keyword arguments of `measure` per row
    prepare     function (lesson, dataset): gives the notebook's functions what they work on
    measure     function (lesson, **row): a dictionary of results, with the value that SHOW names
"""
