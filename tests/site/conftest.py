"""What the tests of the site share: its modules, and Chromium from the tests of JupyterLab."""

import sys

from tests.test_jupyterlab import browser  # noqa: F401
from tools.notebooks import ROOT

sys.path.insert(0, str(ROOT / "site"))  # where Sphinx imports its modules from
