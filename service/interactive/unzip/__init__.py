"""Unzip: an uploaded zip, checked before it is unpacked, in a process of its own."""
