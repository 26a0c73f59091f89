# The plugins of plugins.txt and of the arguments (id:version, which win), and no other version of what they need.
set -eu
for plugin in "$@"; do
    case $plugin in
        ?*:?*) ;;
        *) echo "'$plugin' is no plugin with a version: write id:version" >&2; exit 1 ;;
    esac
    sed -i "/^${plugin%%:*}:/d" plugins.txt
    echo "$plugin" >>plugins.txt
done
JAVA_OPTS=$(python3 java_options.py)
export JAVA_OPTS
if [ -s host-ca-certificates.crt ]; then
    # Nothing in it is secret, but Java wants a password.
    openssl pkcs12 -export -nokeys -jdktrust anyExtendedKeyUsage -passout pass:public \
        -in host-ca-certificates.crt -out trusted.p12
    JAVA_OPTS="$JAVA_OPTS -Djavax.net.ssl.trustStore=/build/trusted.p12 -Djavax.net.ssl.trustStorePassword=public"
fi
mkdir -p ref
jenkins-plugin-cli --war /usr/share/jenkins/jenkins.war --plugin-file plugins.txt \
    --plugin-download-directory ref/plugins --latest=false
# Neither the wizard of a new installation nor that of an upgrade asks anything.
for state in jenkins.install.UpgradeWizard.state jenkins.install.InstallUtil.lastExecVersion; do
    echo "$JENKINS_VERSION" >"ref/$state"
done
