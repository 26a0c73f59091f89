// The release switch: which containers of an application get a request. The traffic of
// each application is a line in memory that all workers share; the file that
// app_blue_green wrote is read when memory is empty (after a start) and when the control
// socket is told to read it again.
//
//   green                        one colour gets everything
//   green*3                      it has three replicas
//   blue green=10 sticky         of new requests 10 % go to the other colour; a client keeps its colour
//   green blue=0                 the other colour gets what the first cannot be asked
import fs from 'fs';

const DIRECTORY = '/var/lib/mooring/releases/';
const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const LINE = /^(blue|green)(?:\*([1-9]))?(?: (?!\1)(blue|green)(?:\*([1-9]))?=([1-9]?[0-9]))?( sticky)?$/;

// A replica that failed so often, each time within these milliseconds of the time before, is not asked for as long.
const FAILURES = 3;
const FAILURE_TIME = 10000;
// Bounds of the latencies that are counted grow by this factor, from one millisecond.
const GROWTH = 1.25;

// What the file says: a line, or null where there is no file.
function declared(application) {
    try {
        return fs.readFileSync(DIRECTORY + application, 'utf8').trim();
    } catch (error) {
        return null;
    }
}

// The line in force; null while no release serves.
function traffic(application) {
    const known = ngx.shared.releases.get(application);
    if (known) {
        return known;
    }
    const line = declared(application);
    if (line === null || !LINE.test(line)) {
        return null;
    }
    // A switch may have come between the file and this.
    ngx.shared.releases.add(application, line);
    return ngx.shared.releases.get(application) || null;
}

function isOut(application, replica) {
    return ngx.shared.failures.get(application + ' ' + replica) >= FAILURES;
}

// Not incr(): it goes on from what has expired, and does not renew the time in each version.
function failed(application, replica) {
    const key = application + ' ' + replica;
    ngx.shared.failures.set(key, (ngx.shared.failures.get(key) || 0) + 1, FAILURE_TIME);
}

function count(application, colour, what) {
    ngx.shared.seen.incr(`${application} ${colour} ${what}`, 1, 0);
}

// Names of a colour's replicas.
function replicas(colour, count) {
    const names = [];
    for (let number = 1; number <= Number(count || 1); number++) {
        names.push(count > 1 ? `${colour}-${number}` : colour);
    }
    return colour ? names : [];
}

// One replica but `not` of the first of these lists that has any which is not out; '' if there is none. All being
// out, nobody is.
function oneOf(application, lists, not) {
    const asked = lists.map((names) => names.filter((name) => name !== not)).filter((names) => names.length);
    const well = asked.map((names) => names.filter((name) => !isOut(application, name)));
    const choice = well.find((names) => names.length) || asked[0];
    return choice ? choice[Math.floor(Math.random() * choice.length)] : '';
}

// The place of a client among 100, which stays the same while shares change; undefined for none yet.
function place(r, application) {
    const found = new RegExp(`(?:^|; *)mooring_${application}=([0-9]{1,2})(?:;|$)`).exec(r.headersIn.Cookie || '');
    return found ? Number(found[1]) : undefined;
}

// The place that a client without one is given. The same within a request: its id is a random number.
function newPlace(r) {
    return parseInt(r.variables.request_id.slice(0, 8), 16) % 100;
}

// $mooring_replica: a colour, or colour and number of one of its replicas; empty while nothing was released.
function replica(r) {
    const application = r.variables.mooring_application;
    const line = application && traffic(application);
    if (!line) {
        return '';
    }
    if (line === 'blue' || line === 'green') {
        return line;
    }
    const part = LINE.exec(line);
    const lists = [replicas(part[1], part[2])];
    if (part[3]) {
        r.variables.mooring_shared = '1';
        const second = replicas(part[3], part[4]);
        if (part[5] === '0') {
            lists.push(second);
        } else {
            // A share is a share, also while the other colour fails: nobody has proved the new one yet.
            const known = part[6] ? place(r, application) : undefined;
            if ((known === undefined ? newPlace(r) : known) < Number(part[5])) {
                lists[0] = second;
            }
            // Those that end only with their client are not waited for.
            if (!r.headersIn.Upgrade) {
                count(application, lists[0][0].split('-')[0], 'begun');
            }
        }
    }
    return oneOf(application, lists, '');
}

// $mooring_cookie: what makes a client keep its place, once.
function cookie(r) {
    const application = r.variables.mooring_application;
    const line = application && traffic(application);
    if (!line || !line.endsWith(' sticky') || place(r, application) !== undefined) {
        return '';
    }
    return `mooring_${application}=${newPlace(r)}; Path=/; Secure; HttpOnly; SameSite=Lax`;
}

// What nginx says of its last upstream; '' where it had found none.
function last(value) {
    return (value || '').split(/[,:] +/).pop();
}

function isConnected(r) {
    const seconds = last(r.variables.upstream_connect_time);
    return seconds !== '' && seconds !== '-';
}

// Whether nothing of the request can have been worked on twice when it is sent once more.
function isRepeatable(r) {
    // What comes in while it is passed on is gone. HTTP/2 need not say that there is a body.
    if (r.variables.mooring_streams && (['GET', 'HEAD', 'OPTIONS'].indexOf(r.method) < 0
            || r.headersIn['Content-Length'] || r.headersIn['Transfer-Encoding'])) {
        return false;
    }
    // nginx's own rule for its next upstream (proxy_next_upstream); RFC 9110, 9.2.2.
    const idempotent = ['POST', 'LOCK', 'PATCH'].indexOf(r.method) < 0;
    return !isConnected(r) || (idempotent && last(r.variables.upstream_status) !== '504');
}

// $mooring_again: who is asked after a replica has failed, or the status that the client gets.
function again(r) {
    const application = r.variables.mooring_application;
    const first = r.variables.mooring_replica;
    if (!first) {
        return '502';
    }
    const part = LINE.exec(traffic(application) || '');
    const status = last(r.variables.upstream_status) === '504' ? '504' : '502';
    // One that takes long for an answer is not one that cannot be asked.
    if (status === '502' || !isConnected(r)) {
        failed(application, first);
    }
    if (!part || !isRepeatable(r)) {
        return status;
    }
    const lists = [replicas(part[1], part[2]), replicas(part[3], part[4])];
    if (first.split('-')[0] !== part[1]) {
        lists.reverse();
    }
    return oneOf(application, lists, first) || status;
}

// $mooring_seen: never anything, but while two colours get requests it counts how they answer.
function seen(r) {
    // What nginx answers by itself, such as 401, says nothing of a colour.
    if (!r.variables.upstream_addr) {
        return '';
    }
    const application = r.variables.mooring_application;
    const first = r.variables.mooring_replica;
    const second = r.variables.mooring_second;
    const isSecond = second && second !== '502' && second !== '504';
    const colour = (isSecond ? second : first).split('-')[0];
    // A client that gave up (499) had waited so long.
    const seconds = parseFloat(last(r.variables.upstream_header_time)) || parseFloat(r.variables.request_time);
    const bucket = Math.max(0, Math.ceil(Math.log(seconds * 1000) / Math.log(GROWTH)));
    count(application, colour, 'requests');
    count(application, colour, bucket);
    if (Number(r.variables.status) >= 500) {
        count(application, colour, 'errors');
    }
    if (isSecond) {
        // The client was spared it, but the one that failed is not.
        count(application, first.split('-')[0], 'requests');
        count(application, first.split('-')[0], 'errors');
    }
    return '';
}

// {"blue": {"begun": 91, "requests": 90, "errors": 1, "12": 89}}; a number is a latency's place.
function counted(application) {
    const found = {};
    ngx.shared.seen.items().forEach((item) => {
        const words = item[0].split(' ');
        if (words[0] === application) {
            found[words[1]] = found[words[1]] || {};
            found[words[1]][words[2]] = item[1];
        }
    });
    return found;
}

function forget(zone, application) {
    zone.keys().filter((key) => key.split(' ')[0] === application).forEach((key) => zone.delete(key));
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
    if (r.method === 'POST') {
        const line = declared(application);
        if (line === null) {
            ngx.shared.releases.delete(application);
        } else if (LINE.test(line)) {
            ngx.shared.releases.set(application, line);
        } else {
            // Traffic goes on where it went: half a switch is worse than none.
            return answer(r, 409, {error: 'the file on disk holds no line of traffic, such as blue or green'});
        }
        forget(ngx.shared.seen, application);
        forget(ngx.shared.failures, application);
    } else if (r.method !== 'GET') {
        return answer(r, 405, {error: 'GET asks, POST reads the file on disk again'});
    }
    return answer(r, 200, {application: application, traffic: traffic(application), seen: counted(application)});
}

export default {replica, again, cookie, seen, control};
