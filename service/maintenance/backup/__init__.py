"""Backup: what a service keeps, copied beside the running server, and brought back.

    TARGET/seedpath-backup.txt            what this folder is; who writes to it locks it
           files/ab/abcd...               the store's files by their sha256, each once for all backups
           backups/20260301T093000Z/      one backup: its records, as SQLite, and the list of its files
               records.sqlite
               manifest.json
               SHA256                     of the two, as `sha256sum --check` reads it

A backup is what the records say at one moment, and every file that those rows need. The rows are copied
first: a row is written after its file, and removed before it, so that each file was there at that moment.
What was removed before its file was copied is left out with its rows, and told. A file of a case or a result
never changes, so that a later backup copies only what came since, and reads a share of the rest again: files
rot. A backup gets its name once it is whole.

manifest    what a backup holds
places      where the files of a case or a result lie
pool        files by their sha256
records     rows as of one moment, in an SQLite file, and back
folder      who may write to the folder of backups, and which there are
copying     files to the pool, and what is damaged of them
make        one backup
restore     one backup in an empty data folder
commands    `seedpath store backup` and `restore`
"""
