"""What the tests of several modules in dlkit/plots share."""


def texts(fig):
    """All titles and other texts inside the axes of a figure."""
    return [text.get_text() for ax in fig.axes for text in [*ax.texts, ax.title]]
