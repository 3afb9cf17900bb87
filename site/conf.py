"""Sphinx's configuration of the site. `make site` first writes its pages with sources.py."""

import sys
from pathlib import Path

SITE = Path(__file__).resolve().parent
sys.path[:0] = [str(SITE.parent), str(SITE)]

from course import repository  # noqa: E402

import dlkit  # noqa: E402
from dlkit.runtime.console import suppress_native_stderr  # noqa: E402

with suppress_native_stderr():  # the pages of the API import TensorFlow, which would print lines about this machine
    import keras  # noqa: F401

project = "Deep learning that checks what it says"
author = copyright = "The dlkit authors"
version = release = dlkit.__version__
language = "en"
extensions = [
    "myst_nb",
    "sphinx_copybutton",
    "sphinx.ext.autodoc",
    "sphinx.ext.githubpages",
    "sphinx.ext.mathjax",
    "sphinx.ext.napoleon",
    "extension",
]
course_repository = repository()
exclude_patterns = ["_extra", "_static"]

# Lessons
nb_execution_mode = "off"  # the notebooks hold the results of a run on real data
nb_merge_streams = True
nb_render_markdown_format = "myst"
myst_enable_extensions = ["attrs_block", "colon_fence", "dollarmath"]
myst_heading_anchors = 4

# API
autodoc_typehints = "none"
add_module_names = False
default_role = "code"
napoleon_numpy_docstring = False
napoleon_use_rtype = False
napoleon_attr_annotations = False

# Pages
html_theme = "sphinx_book_theme"
html_title = project
html_static_path = ["static"]  # extension.py adds MathJax
html_css_files = ["course.css"]
html_js_files = ["course.js"]
html_sourcelink_suffix = ""
html_show_copyright = False
html_last_updated_fmt = None
html_theme_options = {
    "logo": {"text": project},
    "home_page_in_toc": False,
    "show_navbar_depth": 1,
    "show_toc_level": 2,
    "use_download_button": True,
    "use_fullscreen_button": False,
    "repository_url": course_repository,
    "use_repository_button": bool(course_repository),
    "repository_branch": "main",
    "navbar_persistent": [],  # the search is in the sidebar
    "navbar_start": [],
    "navbar_center": [],
    "navbar_end": [],
}
html_context = {"default_mode": "auto"}  # light or dark, as the reader's system
copybutton_exclude = ".linenos, .gp, .go"

mathjax_path = "mathjax/tex-svg.js"  # written by sources.py
