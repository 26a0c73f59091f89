// The only thing of the platform that asks the Docker engine while it serves. Who may talk to the engine owns the
// host, so this answers a few questions about this platform's containers and refuses everything else.
//
// What the answers hold is what its callers read, and no more:
//   Prometheus, discovery/moby/docker.go and network.go (Alloy's discovery.docker and Promtail's docker_sd_configs are
//     the same code): of each container Id, Names, Labels, Ports, HostConfig.NetworkMode and NetworkSettings.Networks
//     with NetworkID and IPAddress; of each network Id, Name, Scope, Internal, Ingress and Labels.
//   Alloy, internal/component/loki/source/docker/tailer.go, and Promtail, clients/pkg/promtail/targets/docker/target.go
//     of grafana/loki: State.Running, State.FinishedAt and Config.Tty of a container, and its log with stdout, stderr,
//     follow, timestamps and since.
// The client library that they share asks /_ping first and then puts the version it has agreed on before each path.
// Environment, command line, mounts and the output of health checks may hold secrets and stay here.
import qs from 'querystring';

// As a caller wrote it, so nothing that nginx or the engine would make another path of.
const NAME = '[A-Za-z0-9][A-Za-z0-9_.-]*';
const QUESTION = new RegExp('^(/v1\\.[0-9]{1,3})?/(?:(_ping|version|info|networks|containers/json)'
    + `|networks/(${NAME})|containers/(${NAME})/(json|logs))$`);

const PROJECT = 'com.docker.compose.project';
const SERVICE = 'com.docker.compose.service';
const ONE_OFF = 'com.docker.compose.oneoff';
const COMPONENT = 'mooring.component';

const INFO = ['ID', 'Name', 'ServerVersion', 'OperatingSystem', 'OSVersion', 'OSType', 'Architecture', 'KernelVersion',
    'NCPU', 'MemTotal', 'Driver', 'LoggingDriver', 'CgroupDriver', 'CgroupVersion', 'LiveRestoreEnabled',
    'Containers', 'ContainersRunning', 'ContainersPaused', 'ContainersStopped', 'Images'];
const NETWORK = ['Id', 'Name', 'Created', 'Scope', 'Driver', 'EnableIPv6', 'Internal', 'Attachable', 'Ingress',
    'Labels'];
const ENDPOINT = ['NetworkID', 'EndpointID', 'Gateway', 'IPAddress', 'IPPrefixLen', 'IPv6Gateway', 'GlobalIPv6Address',
    'GlobalIPv6PrefixLen', 'MacAddress', 'Aliases'];
const LISTED = ['Id', 'Names', 'Image', 'ImageID', 'Created', 'Ports', 'Labels', 'State', 'Status'];
const INSPECTED = ['Id', 'Created', 'Name', 'Image', 'RestartCount', 'Driver', 'Platform'];
// Not Error, which quotes the command line that could not be started.
const STATE = ['Status', 'Running', 'Paused', 'Restarting', 'OOMKilled', 'Dead', 'Pid', 'ExitCode', 'StartedAt',
    'FinishedAt'];
const CONFIG = ['Hostname', 'Domainname', 'User', 'Image', 'Labels', 'Tty', 'OpenStdin', 'ExposedPorts'];
// Not details, which adds environment variables where the log driver is told to keep them.
const LOGS = ['follow', 'stdout', 'stderr', 'since', 'until', 'timestamps', 'tail'];

const METRICS_PORT = '9323';
// Containers that are looked at at the same time. Engine 20.10 tells what they use once a second, of all that are asked
// for by then (26.1 tells at once), so more at a time is faster; each takes one of the worker's connections.
const TOGETHER = 100;
// What Docker says of a time that has not come.
const NEVER = '0001-01-01';

// What is thrown to be answered as {"message": ...}, which is how the engine says it.
function failure(status, message) {
    const error = new Error(message);
    error.status = status;
    return error;
}

function answer(r, status, document) {
    r.headersOut['Content-Type'] = 'application/json';
    r.return(status, JSON.stringify(document) + '\n');
}

function refuse(r) {
    answer(r, 403, {message: 'Only some questions about the containers of this platform are answered here.'});
}

function silent(r) {
    answer(r, 503, {message: 'The Docker engine does not answer.'});
}

// The engine's document; throws what it says where it has none. `size` is '/one' or, for lists, '/all'.
async function ask(r, size, path, args) {
    const reply = await r.subrequest(size + path, {method: 'GET', args: qs.stringify(args || {})});
    let document;
    try {
        document = JSON.parse(reply.responseText);
    } catch (error) {
        // nginx's own page for an engine that does not answer, or nothing.
        document = null;
    }
    if (document === null || typeof document !== 'object') {
        throw failure(503, 'The Docker engine does not answer.');
    }
    if (reply.status !== 200) {
        throw failure(reply.status, document.message || `The Docker engine answers with status ${reply.status}.`);
    }
    return document;
}

function picked(from, names) {
    const to = {};
    names.forEach((name) => {
        if (from && from[name] !== undefined) {
            to[name] = from[name];
        }
    });
    return to;
}

function mapped(from, change) {
    const to = {};
    Object.keys(from || {}).forEach((key) => {
        to[key] = change(from[key]);
    });
    return to;
}

// By its project and, because the name of another platform may begin like this one's, by its component.
function isOurs(r, labels) {
    const prefix = r.variables.mooring_prefix;
    const known = labels || {};
    const project = known[PROJECT] || '';
    return project.startsWith(prefix) && known[ONE_OFF] !== 'True'
        && (known[COMPONENT] === undefined || project === prefix + known[COMPONENT]);
}

// Of one that is in the platform's network only that: Prometheus 3 takes a container's first network, and no other
// (docker_sd_configs, match_first_network), while 2.53 does not know the setting.
function networks(r, settings) {
    const all = settings && settings.Networks || {};
    const own = r.variables.mooring_network;
    return mapped(all[own] ? picked(all, [own]) : all, (endpoint) => picked(endpoint, ENDPOINT));
}

function listed(r, container) {
    return Object.assign(picked(container, LISTED), {
        HostConfig: picked(container.HostConfig, ['NetworkMode']),
        NetworkSettings: {Networks: networks(r, container.NetworkSettings)},
    });
}

function inspected(r, container) {
    const state = picked(container.State, STATE);
    if (container.State && container.State.Health) {
        state.Health = picked(container.State.Health, ['Status', 'FailingStreak']);
    }
    const log = container.HostConfig && container.HostConfig.LogConfig;
    return Object.assign(picked(container, INSPECTED), {
        State: state,
        Config: picked(container.Config, CONFIG),
        HostConfig: Object.assign(picked(container.HostConfig, ['NetworkMode', 'RestartPolicy', 'Memory']),
            {LogConfig: picked(log, ['Type'])}),
        NetworkSettings: Object.assign(picked(container.NetworkSettings, ['Ports']),
            {Networks: networks(r, container.NetworkSettings)}),
    });
}

// The engine's document about a container of this platform; any other does not exist here.
async function container(r, version, name) {
    const document = await ask(r, '/one', `${version}/containers/${name}/json`);
    if (!isOurs(r, document.Config && document.Config.Labels)) {
        throw failure(404, `No such container: ${name}`);
    }
    return document;
}

// njs takes no await among arguments, hence the names.
async function answerTo(r, version, plain, network, name, part) {
    if (part) {
        const found = await container(r, version, name);
        if (part === 'json') {
            return answer(r, 200, inspected(r, found));
        }
        // By its id, so that it is the same one.
        return r.internalRedirect(
            `/passed${version}/containers/${found.Id}/logs?${qs.stringify(picked(r.args, LOGS))}`);
    }
    if (network) {
        const found = await ask(r, '/one', `${version}/networks/${network}`);
        return answer(r, 200, picked(found, NETWORK));
    }
    if (plain === 'networks') {
        const all = await ask(r, '/all', `${version}/networks`, picked(r.args, ['filters']));
        return answer(r, 200, all.map((one) => picked(one, NETWORK)));
    }
    if (plain === 'containers/json') {
        const all = await ask(r, '/all', `${version}/containers/json`, picked(r.args, ['all', 'filters']));
        return answer(r, 200, all.filter((one) => isOurs(r, one.Labels)).map((one) => listed(r, one)));
    }
    if (plain === 'info') {
        const found = await ask(r, '/one', `${version}/info`);
        return answer(r, 200, picked(found, INFO));
    }
    return r.internalRedirect(`/passed${version}/${plain}`);
}

// Runs `work` for each of `items`, so many at a time; begins no more once one has failed.
async function together(items, work) {
    let next = 0;
    async function lane() {
        while (next < items.length) {
            next += 1;
            try {
                await work(items[next - 1]);
            } catch (error) {
                next = items.length;
                throw error;
            }
        }
    }
    const lanes = [];
    while (lanes.length < Math.min(TOGETHER, items.length)) {
        lanes.push(lane());
    }
    await Promise.all(lanes);
}

// What a container uses; undefined where it does not run any more or the engine cannot tell.
async function use(r, id) {
    let stats;
    try {
        // Without one-shot the engine looks twice, a second apart, to tell a percentage.
        stats = await ask(r, '/one', `/containers/${id}/stats`, {stream: 'false', 'one-shot': 'true'});
    } catch (error) {
        if (!error.status || error.status === 404) {
            throw error;
        }
        r.warn(`what container ${id} uses is not known: ${error.message}`);
        return undefined;
    }
    return !stats.read || stats.read.startsWith(NEVER) ? undefined : stats;
}

// {document, stats} of one that was listed; undefined where it is gone meanwhile.
async function look(r, id) {
    try {
        const document = await ask(r, '/one', `/containers/${id}/json`);
        const stats = isRunning(document) ? await use(r, id) : undefined;
        return {document: document, stats: stats};
    } catch (error) {
        if (error.status === 404) {
            return undefined;
        }
        throw error;
    }
}

function isRunning(document) {
    // Not State.Running, which is true as well while a container waits to be started again.
    return document.State.Status === 'running' || document.State.Status === 'paused';
}

function seconds(time) {
    // Nanoseconds are more than Date.parse() takes.
    const found = /^(.*?:[0-9]{2})(\.[0-9]{1,3})?[0-9]*(Z|[+-].*)$/.exec(time || '');
    if (!found || time.startsWith(NEVER)) {
        return undefined;
    }
    return Date.parse(found[1] + (found[2] || '') + found[3]) / 1000;
}

function healthy(document) {
    const status = document.State.Health && document.State.Health.Status;
    return isRunning(document) ? {healthy: 1, unhealthy: 0}[status] : undefined;
}

// As "docker stats" has it (docs.docker.com/reference/cli/docker/container/stats): without the file cache that the
// kernel would give up first. Version 1 of cgroups calls it total_inactive_file, where inactive_file leaves out cgroups
// below; version 2 calls it inactive_file and counts those.
function memory(stats) {
    const found = stats.memory_stats;
    if (!found || found.usage === undefined) {
        return undefined;
    }
    const details = found.stats || {};
    const cache = details.total_inactive_file === undefined ? details.inactive_file : details.total_inactive_file;
    return cache < found.usage ? found.usage - cache : found.usage;
}

function memoryLimit(stats) {
    return stats.memory_stats && stats.memory_stats.limit || undefined;
}

// Version 1 of cgroups says Read, version 2 read.
function blocks(stats, operation) {
    const parts = stats.blkio_stats && stats.blkio_stats.io_service_bytes_recursive || [];
    return parts.filter((part) => part.op.toLowerCase() === operation).reduce((sum, part) => sum + part.value, 0);
}

// One in the network of the host or of another container has none of its own.
function traffic(stats, field) {
    const names = Object.keys(stats.networks || {});
    return names.length ? names.reduce((sum, name) => sum + stats.networks[name][field], 0) : undefined;
}

// Of the document that describes a container, and of what it uses.
const STATES = [
    ['running', 'gauge', 'Whether the container runs (a paused one does).', (one) => Number(isRunning(one))],
    ['restarting', 'gauge', 'Whether the container ended and waits to be started again.',
        (one) => Number(one.State.Status === 'restarting')],
    ['healthy', 'gauge', 'Result of the health check, where there is one and it has one.', healthy],
    ['restarts_total', 'counter', 'How often the engine started the container again by its restart policy.',
        (one) => one.RestartCount],
    ['start_time_seconds', 'gauge', 'When the container was started last, in seconds since 1970.',
        (one) => seconds(one.State.StartedAt)],
    ['oom_killed', 'gauge', 'Whether the container ended for want of memory.', (one) => Number(one.State.OOMKilled)],
];
const USES = [
    ['cpu_seconds_total', 'counter', 'Processor time used, of all processors.',
        (one) => one.cpu_stats.cpu_usage.total_usage / 1e9],
    ['memory_bytes', 'gauge', 'Memory in use, without file cache that was not used of late.', memory],
    ['memory_limit_bytes', 'gauge', 'Memory that may be used: the limit, or all of the host.', memoryLimit],
    ['network_receive_bytes_total', 'counter', 'Bytes received over all networks.', (one) => traffic(one, 'rx_bytes')],
    ['network_transmit_bytes_total', 'counter', 'Bytes sent over all networks.', (one) => traffic(one, 'tx_bytes')],
    ['block_read_bytes_total', 'counter', 'Bytes read from disks.', (one) => blocks(one, 'read')],
    ['block_write_bytes_total', 'counter', 'Bytes written to disks.', (one) => blocks(one, 'write')],
    ['pids', 'gauge', 'Processes and threads.', (one) => one.pids_stats && one.pids_stats.current],
];

function labels(document) {
    const known = document.Config.Labels;
    const pairs = [['container', document.Name.slice(1)], ['project', known[PROJECT]], ['service', known[SERVICE]],
        ['application', known['mooring.application']], ['colour', known['mooring.colour']],
        ['release', known['mooring.release']]];
    return pairs.map((pair) => {
        const value = (pair[1] || '').replace(/\\/g, '\\\\').replace(/\n/g, '\\n').replace(/"/g, '\\"');
        return `${pair[0]}="${value}"`;
    }).join(',');
}

// Text of metrics (prometheus.io/docs/instrumenting/exposition_formats); one that is not known is not there.
function page(families, found, part) {
    return families.map((family) => {
        const name = `mooring_container_${family[0]}`;
        const samples = found.map((one) => [one.labels, one[part] && family[3](one[part])])
            .filter((sample) => typeof sample[1] === 'number' && !isNaN(sample[1]))
            .map((sample) => `${name}{${sample[0]}} ${sample[1]}\n`);
        return samples.length ? `# HELP ${name} ${family[2]}\n# TYPE ${name} ${family[1]}\n${samples.join('')}` : '';
    }).join('');
}

async function metrics(r) {
    const all = await ask(r, '/all', '/containers/json', {all: 1, filters: JSON.stringify({label: [PROJECT]})});
    const ids = all.filter((one) => isOurs(r, one.Labels)).map((one) => one.Id);
    const found = [];
    // Where it fails for one the scrape fails: what is missing would look as if it were gone.
    await together(ids, async (id) => {
        const one = await look(r, id);
        if (one) {
            one.labels = labels(one.document);
            found.push(one);
        }
    });
    found.sort((one, other) => (one.labels < other.labels ? -1 : 1));
    r.headersOut['Content-Type'] = 'text/plain; version=0.0.4; charset=utf-8';
    r.return(200, page(STATES, found, 'document') + page(USES, found, 'stats'));
}

// Everything that comes in from outside.
async function door(r) {
    const path = r.variables.request_uri.split('?')[0];
    const asked = QUESTION.exec(path);
    if (r.method !== 'GET' && r.method !== 'HEAD') {
        return refuse(r);
    }
    try {
        if (r.variables.server_port === METRICS_PORT) {
            return path === '/metrics' ? await metrics(r) : refuse(r);
        }
        return asked ? await answerTo(r, asked[1] || '', asked[2], asked[3], asked[4], asked[5]) : refuse(r);
    } catch (error) {
        if (!error.status) {
            throw error;
        }
        if (error.status >= 500) {
            r.error(`${path}: ${error.message}`);
        }
        return answer(r, error.status, {message: error.message});
    }
}

export default {door, refuse, silent};
