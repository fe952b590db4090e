"""`python -m s3prl_plugin <command>`, the same as the `s3prl-plugin` command."""

import sys

from s3prl_plugin.commands import main

if __name__ == "__main__":
    sys.exit(main())
