# Ansible with the libraries of mooring.stack, in a place of its own.
set -eu
python3 -m venv /opt/ansible
if [ -s host-ca-certificates.crt ]; then
    export PIP_CERT=/build/host-ca-certificates.crt
fi
/opt/ansible/bin/pip install --no-cache-dir --quiet --requirement requirements.txt
