/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;

import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.datastreams.CreateDataStreamAction;
import org.elasticsearch.action.datastreams.DataStreamsActionUtil;
import org.elasticsearch.action.datastreams.DeleteDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction.Response.DataStreamInfo;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.local.TransportLocalProjectMetadataAction;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.action.support.master.AcknowledgedTransportMasterNodeAction;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ClusterStateUpdateTask;
import org.elasticsearch.cluster.ProjectState;
import org.elasticsearch.cluster.block.ClusterBlockException;
import org.elasticsearch.cluster.block.ClusterBlockLevel;
import org.elasticsearch.cluster.health.ClusterStateHealth;
import org.elasticsearch.cluster.metadata.DataStream;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.MetadataCreateDataStreamService;
import org.elasticsearch.cluster.metadata.MetadataCreateDataStreamService.CreateDataStreamClusterStateUpdateRequest;
import org.elasticsearch.cluster.metadata.MetadataDataStreamsService;
import org.elasticsearch.cluster.metadata.MetadataIndexTemplateService;
import org.elasticsearch.cluster.metadata.ProjectMetadata;
import org.elasticsearch.cluster.project.ProjectResolver;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.Priority;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.common.util.concurrent.EsExecutors;
import org.elasticsearch.index.Index;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;

/** The actions on data streams; the server knows how to make and delete one. Public, because the server makes them. */
public final class Streams {

    private Streams() {}

    public static final class Create extends AcknowledgedTransportMasterNodeAction<CreateDataStreamAction.Request> {
        private final MetadataCreateDataStreamService service;
        private final ProjectResolver projects;

        @Inject
        public Create(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            MetadataCreateDataStreamService service, ProjectResolver projects) {
            super(CreateDataStreamAction.NAME, transport, cluster, threads, filters,
                CreateDataStreamAction.Request::new, EsExecutors.DIRECT_EXECUTOR_SERVICE);
            this.service = service;
            this.projects = projects;
        }

        @Override
        protected void masterOperation(Task task, CreateDataStreamAction.Request request, ClusterState state,
            ActionListener<AcknowledgedResponse> listener) {
            service.createDataStream(new CreateDataStreamClusterStateUpdateRequest(projects.getProjectId(),
                request.getName(), null, request.masterNodeTimeout(), request.ackTimeout()), listener);
        }

        @Override
        protected ClusterBlockException checkBlock(CreateDataStreamAction.Request request, ClusterState state) {
            return state.blocks().globalBlockedException(projects.getProjectId(), ClusterBlockLevel.METADATA_WRITE);
        }
    }

    public static final class Delete extends AcknowledgedTransportMasterNodeAction<DeleteDataStreamAction.Request> {
        private final ProjectResolver projects;
        private final IndexNameExpressionResolver names;
        private final Settings settings;

        @Inject
        public Delete(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            ProjectResolver projects, IndexNameExpressionResolver names, Settings settings) {
            super(DeleteDataStreamAction.NAME, transport, cluster, threads, filters,
                DeleteDataStreamAction.Request::new, EsExecutors.DIRECT_EXECUTOR_SERVICE);
            this.projects = projects;
            this.names = names;
            this.settings = settings;
        }

        @Override
        protected void masterOperation(Task task, DeleteDataStreamAction.Request request, ClusterState state,
            ActionListener<AcknowledgedResponse> listener) {
            var id = projects.getProjectId();
            submit(new ClusterStateUpdateTask(Priority.HIGH, request.masterNodeTimeout()) {
                @Override
                public ClusterState execute(ClusterState current) {
                    ProjectMetadata project = current.metadata().getProject(id);
                    Set<DataStream> found = new HashSet<>();
                    DataStreamsActionUtil.getDataStreamNames(names, project, request.getNames(), request.indicesOptions())
                        .forEach(name -> found.add(project.dataStreams().get(name)));
                    return MetadataDataStreamsService.deleteDataStreams(current.projectState(id), found, settings);
                }

                @Override
                public void onFailure(Exception error) {
                    listener.onFailure(error);
                }

                @Override
                public void clusterStateProcessed(ClusterState before, ClusterState after) {
                    listener.onResponse(AcknowledgedResponse.TRUE);
                }
            });
        }

        // Batches are for clusters whose state changes all the time.
        @SuppressWarnings("deprecation")
        private void submit(ClusterStateUpdateTask task) {
            clusterService.submitUnbatchedStateUpdateTask(DeleteDataStreamAction.NAME, task);
        }

        @Override
        protected ClusterBlockException checkBlock(DeleteDataStreamAction.Request request, ClusterState state) {
            return state.blocks().globalBlockedException(projects.getProjectId(), ClusterBlockLevel.METADATA_WRITE);
        }
    }

    public static final class Get
        extends TransportLocalProjectMetadataAction<GetDataStreamAction.Request, GetDataStreamAction.Response> {
        private final IndexNameExpressionResolver names;

        @Inject
        public Get(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            ProjectResolver projects, IndexNameExpressionResolver names) {
            super(GetDataStreamAction.NAME, filters, transport.getTaskManager(), cluster,
                threads.executor(ThreadPool.Names.MANAGEMENT), projects);
            this.names = names;
        }

        @Override
        protected void localClusterStateOperation(Task task, GetDataStreamAction.Request request, ProjectState state,
            ActionListener<GetDataStreamAction.Response> listener) {
            ProjectMetadata project = state.metadata();
            List<DataStreamInfo> found = new ArrayList<>();
            for (String name : DataStreamsActionUtil.getDataStreamNames(
                names, project, request.getNames(), request.indicesOptions())) {
                found.add(info(project.dataStreams().get(name), state));
            }
            found.sort((one, other) -> one.getDataStream().getName().compareTo(other.getDataStream().getName()));
            listener.onResponse(new GetDataStreamAction.Response(found));
        }

        private static DataStreamInfo info(DataStream stream, ProjectState state) {
            ProjectMetadata project = state.metadata();
            String template = MetadataIndexTemplateService.findV2Template(project, stream.getName(), false);
            String policy = template == null ? null : MetadataIndexTemplateService.resolveSettings(project, template)
                .get(LifecycleSettings.LIFECYCLE_NAME);
            String[] indices = stream.getIndices().stream().map(Index::getName).toArray(String[]::new);
            var health = new ClusterStateHealth(state.cluster(), indices, project.id());
            return new DataStreamInfo(stream, false, health.getStatus(), template, policy, null, Map.of(), true, null, null);
        }

        @Override
        protected ClusterBlockException checkBlock(GetDataStreamAction.Request request, ProjectState state) {
            return state.blocks().globalBlockedException(state.projectId(), ClusterBlockLevel.METADATA_READ);
        }
    }
}
