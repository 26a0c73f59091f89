# Starts Elasticsearch from the configuration of its image, with ours on top.
#
# Its keystore lies beside the configuration and has to be writable, so all of it is in memory. There is nothing in the
# keystore but a random password of the user elastic, with which nobody logs in.
set -eu
umask 077
home=/usr/share/elasticsearch

cp -R "$home/config/." "$ES_PATH_CONF/"
cp -R /etc/mooring/elasticsearch/config/. "$ES_PATH_CONF/"
bash /etc/mooring/elasticsearch/bin/users.sh
# Not every server has the part that fetches the places of addresses from its maker.
if [ -d "$home/modules/ingest-geoip" ]; then
    echo 'ingest.geoip.downloader.enabled: false' >>"$ES_PATH_CONF/elasticsearch.yml"
fi
exec "$home/bin/elasticsearch"
