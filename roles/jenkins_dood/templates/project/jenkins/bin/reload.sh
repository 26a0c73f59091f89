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

refuse() {
    # A page for people, as one line without its markup.
    said=$(sed -e 's/<[^>]*>/ /g' "$place/answer" | tr -s '[:space:]' ' ' | cut -c 1-500)
    echo "Jenkins $1 and says:$said" >&2
    exit 1
}

status=$(ask "$url/crumbIssuer/api/json")
[ "$status" = 200 ] || refuse "gives no crumb for a reload (HTTP $status)"
crumb=$(sed -n 's/.*"crumb" *: *"\([^"]*\)".*/\1/p' "$place/answer")
printf 'header = "Jenkins-Crumb: %s"\n' "$crumb" >"$place/crumb.curl"

# It leads elsewhere when all is well. What it shows otherwise is an error, also with the status 200.
status=$(ask --config "$place/crumb.curl" --request POST "$url/configuration-as-code/reload")
[ "$status" = 302 ] || refuse "does not take its configuration (HTTP $status)"
