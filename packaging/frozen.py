"""What the single-folder build starts: edgekit, and Python's `-c` for the processes that edgekit starts of itself."""

import sys

if sys.argv[1:2] == ["-c"]:
    # There, sys.executable is this program and not Python.
    code = sys.argv[2]
    sys.argv = ["-c", *sys.argv[3:]]
    exec(code, {"__name__": "__main__"})
else:
    from edgekit.cli.app import main

    main()
