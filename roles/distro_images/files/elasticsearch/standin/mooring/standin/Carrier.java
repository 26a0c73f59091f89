/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import java.util.Map;

import org.apache.logging.log4j.LogManager;
import org.apache.logging.log4j.Logger;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.admin.indices.delete.DeleteIndexRequest;
import org.elasticsearch.action.admin.indices.rollover.RolloverConditions;
import org.elasticsearch.action.admin.indices.rollover.RolloverInfo;
import org.elasticsearch.action.admin.indices.rollover.RolloverRequest;
import org.elasticsearch.client.internal.Client;
import org.elasticsearch.client.internal.OriginSettingClient;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexMetadata;
import org.elasticsearch.cluster.metadata.ProjectMetadata;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.component.Lifecycle;
import org.elasticsearch.core.TimeValue;
import org.elasticsearch.gateway.GatewayService;
import org.elasticsearch.plugins.Plugin.PluginServices;
import org.elasticsearch.threadpool.Scheduler;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.xpack.core.ClientHelper;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.Phase;
import org.elasticsearch.xpack.core.ilm.RolloverAction;

/**
 * Carries policies out for the indices of data streams: rolls the write index over when the hot phase says so, and
 * deletes what has been rolled over for as long as the delete phase says.
 *
 * <p>The server itself evaluates the conditions of a rollover. As with Elastic's, an index without documents is not
 * rolled over, and the age that counts for the delete phase begins when an index was rolled over.
 */
final class Carrier {
    private static final Logger LOGGER = LogManager.getLogger(Carrier.class);

    private final Client client;
    private final ClusterService cluster;
    private final ThreadPool threads;
    private Scheduler.Cancellable scheduled;

    Carrier(PluginServices services) {
        client = new OriginSettingClient(services.client(), ClientHelper.INDEX_LIFECYCLE_ORIGIN);
        cluster = services.clusterService();
        threads = services.threadPool();
        var setting = LifecycleSettings.LIFECYCLE_POLL_INTERVAL_SETTING;
        schedule(setting.get(services.environment().settings()));
        cluster.getClusterSettings().addSettingsUpdateConsumer(setting, this::schedule);
    }

    private synchronized void schedule(TimeValue interval) {
        close();
        scheduled = threads.scheduleWithFixedDelay(this::look, interval, threads.generic());
    }

    synchronized void close() {
        if (scheduled != null) {
            scheduled.cancel();
        }
    }

    private void look() {
        // There is no state before the node has found itself.
        if (cluster.lifecycleState() != Lifecycle.State.STARTED) {
            return;
        }
        ClusterState state = cluster.state();
        if (state.nodes().isLocalNodeElectedMaster() && !state.blocks().hasGlobalBlock(
            GatewayService.STATE_NOT_RECOVERED_BLOCK)) {
            state.metadata().projects().values().forEach(this::look);
        }
    }

    private void look(ProjectMetadata project) {
        Map<String, LifecyclePolicyMetadata> policies = Policies.of(project).getPolicyMetadatas();
        for (DataStream stream : project.dataStreams().values()) {
            stream.getIndices().forEach(index -> {
                IndexMetadata metadata = project.index(index);
                LifecyclePolicyMetadata policy = policies.get(metadata.getLifecyclePolicyName());
                if (policy != null) {
                    carry(policy.getPolicy().getPhases(), stream, metadata);
                }
            });
        }
    }

    private void carry(Map<String, Phase> phases, DataStream stream, IndexMetadata index) {
        Phase hot = phases.get("hot");
        Phase delete = phases.get("delete");
        if (index.getIndex().equals(stream.getWriteIndex())) {
            if (hot != null && hot.getActions().get(RolloverAction.NAME) instanceof RolloverAction rollover) {
                rollOver(stream.getName(), rollover.getConditions());
            }
            return;
        }
        RolloverInfo info = index.getRolloverInfos().get(stream.getName());
        long since = info == null ? index.getCreationDate() : info.getTime();
        if (delete != null && threads.absoluteTimeInMillis() - since >= delete.getMinimumAge().millis()) {
            String name = index.getIndex().getName();
            client.admin().indices().delete(new DeleteIndexRequest(name), reporting("delete " + name));
        }
    }

    private void rollOver(String stream, RolloverConditions conditions) {
        RolloverRequest request = new RolloverRequest(stream, null);
        var builder = RolloverConditions.newBuilder(conditions);
        request.setConditions((conditions.hasMinConditions() ? builder : builder.addMinIndexDocsCondition(1L)).build());
        client.admin().indices().rolloverIndex(request, reporting("roll over " + stream));
    }

    private static <T> ActionListener<T> reporting(String what) {
        return ActionListener.wrap(
            answer -> LOGGER.debug("{}: {}", what, answer), error -> LOGGER.warn("could not {}: {}", what, error));
    }
}
