#!/bin/sh
# Starts Logstash; arguments are its own. Its keystore has to lie beside its settings, so these are in memory,
# where the keystore is made anew each time from the file of the secret. In the text of a pipeline a password would
# not be safe: where there is a mistake, Logstash prints what stands before it.
set -eu
home=/usr/share/logstash
settings=/run/logstash
# The pipeline that reads dead letters wants to find the place before there is one.
mkdir -p "$home/data/dead_letter_queue/main"
cp /etc/mooring/settings/*.yml "$home/config/log4j2.properties" "$settings/"
if [ -s /run/secrets/elasticsearch_password ]; then
    umask 077
    # It asks whether it may do without a password of its own, which would have to be in the environment.
    echo y | "$home/bin/logstash-keystore" --path.settings "$settings" create >/dev/null
    "$home/bin/logstash-keystore" --path.settings "$settings" add ELASTICSEARCH_PASSWORD \
        </run/secrets/elasticsearch_password >/dev/null
fi
exec "$home/bin/logstash" --path.settings "$settings" "$@"
