// The release switch. Which colour of an application serves is kept in memory that
// all workers share; the file that app_blue_green wrote is read when memory is empty
// (after a start) and when the control socket is told to read it again.
import fs from 'fs';

const DIRECTORY = '/var/lib/mooring/releases/';
const COLOURS = ['blue', 'green'];
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;

// What the file says: a word, or null where there is no file.
function declared(application) {
    try {
        return fs.readFileSync(DIRECTORY + application, 'utf8').trim();
    } catch (error) {
        return null;
    }
}

function valid(word) {
    return COLOURS.indexOf(word) >= 0;
}

function active(application) {
    const zone = ngx.shared.releases;
    const known = zone.get(application);
    if (known) {
        return known;
    }
    const word = declared(application);
    if (!valid(word)) {
        return null;
    }
    zone.set(application, word);
    return word;
}

// $mooring_colour: the colour of the location's application, empty while none was released.
function colour(r) {
    return active(r.variables.mooring_application) || '';
}

function answer(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

// GET and POST /releases/<application>
function control(r) {
    const application = r.uri.slice('/releases/'.length);
    const known = r.variables.mooring_applications.split(' ');
    if (!NAME.test(application) || known.indexOf(application) < 0) {
        return answer(r, 404, {error: 'no route leads to an application of this name'});
    }
    const word = declared(application);
    if (r.method === 'POST') {
        if (word === null) {
            ngx.shared.releases.delete(application);
        } else if (valid(word)) {
            ngx.shared.releases.set(application, word);
        } else {
            // Traffic goes on where it went: half a switch is worse than none.
            return answer(r, 409, {error: 'the file on disk holds neither blue nor green'});
        }
    } else if (r.method !== 'GET') {
        return answer(r, 405, {error: 'GET asks, POST reads the file on disk again'});
    }
    return answer(r, 200, {application: application, active: active(application), declared: valid(word) ? word : null});
}

export default {colour, control};
