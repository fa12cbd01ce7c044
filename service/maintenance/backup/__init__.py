"""Backup: copies what a service stores while the server runs, and restores it.

    TARGET/seedpath-backup.txt            describes this folder; a writer locks it
           files/ab/abcd...               the store's files by their sha256, each once for all backups
           backups/20260301T093000Z/      one backup: its records, as SQLite, and the list of its files
               records.sqlite
               manifest.json
               SHA256                     of the two, as `sha256sum --check` reads it

A backup consists of the records at one moment, and every file that those rows need. The rows are copied
first: a row is written after its file, and removed before it, so each file was there at that moment. Items
that were removed before their files were copied are left out with their rows, and reported. A file of a case
or a result never changes, so a later backup copies only what is new, and reads a share of the rest again,
because files decay on disks. A backup gets its name once it is complete.

manifest      what a backup contains
file_places   where the files of a case or a result are
pool          files by their sha256
rows          rows at one moment, in an SQLite file, and back
folder        who may write to the folder of backups, and which backups it has
copying       copies files to the pool, and finds damaged ones
make          makes one backup
restore       restores one backup into an empty data folder
"""
