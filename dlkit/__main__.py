"""`python -m dlkit` is the command `dlkit`, also where the folder of commands is not on the PATH."""

import sys

from dlkit.cli import main

sys.exit(main())
