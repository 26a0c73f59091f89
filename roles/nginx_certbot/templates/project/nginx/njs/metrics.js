// What the proxy measures, for Prometheus: requests and how long they took, by route, application and release.
//
// A request is one number in memory that all workers share, by class of status and place among the latencies, and its
// milliseconds are added to another; everything else is worked out when somebody asks:
//
//   "4 0 /api shop 1.4.2" 17     answers 4xx of at most 5 ms
//   "1 - /api shop 1.4.2" 3      WebSockets, whose time says nothing
//   "sum /api shop 1.4.2" 61     ms
//
// Route and application are declared; a release is what the application says of itself, so there may be any number of
// them. They have memory of their own, and begin anew when it is full.

// Upper bounds of latencies in milliseconds, and as Prometheus 3 writes them whatever it is told ("1" becomes "1.0").
const BOUNDS = [5, 10, 25, 50, 100, 250, 500, 1000, 2500, 5000, 10000];
const LABELS = ['0.005', '0.01', '0.025', '0.05', '0.1', '0.25', '0.5', '1.0', '2.5', '5.0', '10.0', '+Inf'];
const CLASSES = ['1', '2', '3', '4', '5'];
const RELEASE = /^[A-Za-z0-9._+-]{1,64}$/;

// Bytes that stay free in each zone, because nginx logs an error whenever there is no memory.
const RESERVE = 65536;
// More than fit; items() alone would return 1024.
const ALL = 100000;

const TYPE = 'text/plain; version=0.0.4; charset=utf-8';

// Whether there was memory to count it.
function count(zone, place, series, milliseconds) {
    const key = `${place} ${series}`;
    if (!zone.has(key) && zone.freeSpace() < RESERVE) {
        return false;
    }
    zone.incr(key, 1, 0);
    if (milliseconds !== null) {
        zone.incr('sum ' + series, milliseconds, 0);
    }
    return true;
}

// $mooring_measured: never anything, but it counts the request that has just ended.
function measured(r) {
    const status = r.variables.status;
    // Nobody got an answer.
    if (!(status >= 100)) {
        return '';
    }
    const zone = ngx.shared.measured;
    const application = r.variables.mooring_application || '';
    const series = `${r.variables.mooring_route || ''} ${application}`;
    // What nobody defined counts as 5xx (RFC 9110, 15).
    let place = status >= 500 ? '5' : status[0];
    let milliseconds = null;
    if (status === '101') {
        place += ' -';
    } else {
        milliseconds = Math.round(r.variables.request_time * 1000);
        let bucket = 0;
        while (milliseconds > BOUNDS[bucket]) {
            bucket++;
        }
        place += ' ' + bucket;
    }
    const said = application && r.variables.upstream_http_x_release || '';
    if (RELEASE.test(said)) {
        if (count(ngx.shared.measured_releases, place, `${series} ${said}`, milliseconds)) {
            return '';
        }
        // Its route is not to miss it.
        zone.incr('uncounted release', 1, 0);
    }
    if (!count(zone, place, series + ' ', milliseconds)) {
        zone.incr('uncounted route', 1, 0);
    }
    return '';
}

// What is in memory, by labels: {'route="/api",...': {classes: {2: 17}, buckets: [16, 1, 0 ...], milliseconds: 61}}
function all() {
    const found = {};
    ngx.shared.measured.items(ALL).concat(ngx.shared.measured_releases.items(ALL)).forEach((item) => {
        const words = item[0].split(' ');
        if (words[0] === 'uncounted') {
            return;
        }
        const place = words[0] === 'sum' ? words.splice(0, 1) : words.splice(0, 2);
        const name = labels(['route', 'application', 'release'], words);
        const series = found[name] = found[name] || {classes: {}, buckets: LABELS.map(() => 0), milliseconds: 0};
        if (place[0] === 'sum') {
            series.milliseconds = item[1];
            return;
        }
        series.classes[place[0]] = (series.classes[place[0]] || 0) + item[1];
        if (place[1] !== '-') {
            series.buckets[place[1]] += item[1];
        }
    });
    return found;
}

function labels(names, values) {
    return names.map((name, index) => {
        const value = values[index].replace(/\\/g, '\\\\').replace(/"/g, '\\"').replace(/\n/g, '\\n');
        return `${name}="${value}"`;
    }).join(',');
}

function metric(name, type, help, samples) {
    return [`# HELP ${name} ${help}`, `# TYPE ${name} ${type}`].concat(samples).join('\n') + '\n';
}

function requests(found) {
    const name = 'mooring_proxy_requests_total';
    const samples = [];
    Object.keys(found).sort().forEach((series) => {
        // All classes, so that the first error of a series is an increase.
        CLASSES.forEach((kind) => {
            samples.push(`${name}{${series},status="${kind}xx"} ${found[series].classes[kind] || 0}`);
        });
    });
    return metric(name, 'counter', 'Requests, by class of status.', samples);
}

function seconds(found) {
    const name = 'mooring_proxy_request_seconds';
    const samples = [];
    Object.keys(found).sort().forEach((series) => {
        let total = 0;
        found[series].buckets.forEach((number, index) => {
            total += number;
            samples.push(`${name}_bucket{${series},le="${LABELS[index]}"} ${total}`);
        });
        samples.push(`${name}_sum{${series}} ${found[series].milliseconds / 1000}`);
        samples.push(`${name}_count{${series}} ${total}`);
    });
    return metric(name, 'histogram', 'From the first byte of a request to the last of its answer, WebSockets aside.',
        samples);
}

function uncounted() {
    const name = 'mooring_proxy_uncounted_requests_total';
    const samples = ['release', 'route'].map((what) => {
        return `${name}{what="${what}"} ${ngx.shared.measured.get('uncounted ' + what) || 0}`;
    });
    return metric(name, 'counter', 'Requests that memory was too small for: counted without their release, or not '
        + 'for their route either.', samples);
}

function connections(r) {
    const name = 'mooring_proxy_connections';
    const samples = ['active', 'reading', 'writing', 'waiting'].map((state) => {
        return `${name}{state="${state}"} ${r.variables['connections_' + state]}`;
    });
    return metric(name, 'gauge', 'Connections of clients; the waiting ones are kept open between requests.', samples);
}

// GET /metrics
function answer(r) {
    if (r.method !== 'GET') {
        r.headersOut.Allow = 'GET';
        return r.return(405);
    }
    const found = all();
    // A release that still serves is back with its next request, and to Prometheus its counters were reset.
    if (ngx.shared.measured_releases.freeSpace() < RESERVE) {
        ngx.shared.measured_releases.clear();
    }
    r.headersOut['Content-Type'] = TYPE;
    return r.return(200, requests(found) + seconds(found) + uncounted() + connections(r));
}

export default {measured, answer};
