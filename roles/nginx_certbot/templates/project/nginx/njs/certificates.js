// Where the certificate of a handshake lies. certificates/<name> is a link that changes when
// there is a new version; it is followed once per handshake, so that certificate and key are
// always of the same version. Without one the path leads nowhere: the handshake fails, and is logged.
import fs from 'fs';

const DIRECTORY = '/var/lib/mooring/certificates/';

function version(r) {
    try {
        return fs.realpathSync(DIRECTORY + r.variables.mooring_certificate_name);
    } catch (error) {
        return '';
    }
}

export default {version};
