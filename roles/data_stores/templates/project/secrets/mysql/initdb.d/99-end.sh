rm /var/lib/mysql/.mooring-first-start
