"""Disk errors: what an operating system says of a disk that is full, or that cannot be written."""

import errno

FULL = (errno.ENOSPC, errno.EDQUOT)
"""The disk is full."""

NO_ROOM = (*FULL, errno.EROFS, errno.EACCES, errno.EPERM)
"""The disk is full or cannot be written."""
