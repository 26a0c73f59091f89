# Makes the running Jenkins read its configuration, its secrets and its jobs again; fails with what it says against them.
# Names and passwords are in files: others on the host can read a command line.
set -eu
umask 077
url=http://127.0.0.1:8080/jenkins
place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT

ask() {
    curl --silent --show-error --max-time 240 --config /run/jenkins/reload.curl --cookie "$place/cookies" \
        --cookie-jar "$place/cookies" --output "$place/answer" --write-out '%{http_code}' "$@"
}

text() {
    # A page for people, as one line without its markup.
    sed -E -e 's/<[^>]*>/ /g' -e 's/&lt;/</g' -e 's/&gt;/>/g' -e 's/&quot;/"/g' -e "s/&(#0*39|#x27|apos);/'/g" \
        -e 's/&amp;/\&/g' | tr -s '[:space:]' ' '
}

refuse() {
    said=$(text <"$place/answer" | cut -c 1-500)
    # The page hides what lies behind it: an error of the jobs' script, or a secret that is not there. The newest entry
    # of the log has the exceptions, the cause of all of them last.
    cause=
    if [ "$(ask "$url/log/rss?level=WARNING")" = 200 ]; then
        cause=$(sed '/<\/entry>/q' "$place/answer" | grep -E '^(Caused by: )?[[:alnum:]_.$]+(Exception|Error)\b' |
            tail -n 1 | text | cut -c 1-500)
    fi
    echo "Jenkins $1 and says:$said${cause:+ The cause: $cause}" >&2
    exit 1
}

status=$(ask "$url/crumbIssuer/api/json")
[ "$status" = 200 ] || refuse "gives no crumb for a reload (HTTP $status)"
crumb=$(sed -n 's/.*"crumb" *: *"\([^"]*\)".*/\1/p' "$place/answer")
printf 'header = "Jenkins-Crumb: %s"\n' "$crumb" >"$place/crumb.curl"

# It leads elsewhere when all is well. What it shows otherwise is an error, also with the status 200.
status=$(ask --config "$place/crumb.curl" --request POST "$url/configuration-as-code/reload")
[ "$status" = 302 ] || refuse "does not take its configuration (HTTP $status)"
