"""`python -m gradsum`: the command line."""

import sys

from gradsum import main

if __name__ == "__main__":
    sys.exit(main())
