# Healthy means: a request that logs in is answered, and all indices can be written to. Without the login an answer
# says nothing (401 comes from a server that knows no user), and with a wrong one it is a failure.
set -eu
exec curl --silent --show-error --fail --output /dev/null --max-time 8 --config /run/secrets/health.curl \
    'http://127.0.0.1:9200/_cluster/health?wait_for_status=yellow&timeout=5s'
