"""Takes files out of the page cache, after what was written of them is on disk.

    set_aside.py FILE...

For files that the next measurement does not read: beside a copy of 10 GB, its original crowds the cache of a machine with 24 GB so
much that every write has to find memory first, and that is not what is to be measured. Linux and other systems with
posix_fadvise.
"""

import os
import sys


def set_aside(path):
    file = os.open(path, os.O_RDONLY)
    try:
        os.fsync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def main():
    for path in sys.argv[1:]:
        set_aside(path)


if __name__ == "__main__":
    main()
