# Puts the accounts of the file realm where the server looks for them, also while it runs.
set -eu
umask 077
for name in users users_roles; do
    cp "/run/secrets/$name" "$ES_PATH_CONF/.$name.new"
    mv "$ES_PATH_CONF/.$name.new" "$ES_PATH_CONF/$name"
done
