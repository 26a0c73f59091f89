/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

import org.elasticsearch.ResourceNotFoundException;
import org.elasticsearch.action.ActionListener;
import org.elasticsearch.action.support.ActionFilters;
import org.elasticsearch.action.support.local.TransportLocalProjectMetadataAction;
import org.elasticsearch.action.support.master.AcknowledgedRequest;
import org.elasticsearch.action.support.master.AcknowledgedResponse;
import org.elasticsearch.action.support.master.AcknowledgedTransportMasterNodeAction;
import org.elasticsearch.cluster.AckedClusterStateUpdateTask;
import org.elasticsearch.cluster.ClusterState;
import org.elasticsearch.cluster.ProjectState;
import org.elasticsearch.cluster.block.ClusterBlockException;
import org.elasticsearch.cluster.block.ClusterBlockLevel;
import org.elasticsearch.cluster.metadata.IndexMetadata;
import org.elasticsearch.cluster.metadata.IndexNameExpressionResolver;
import org.elasticsearch.cluster.metadata.ProjectMetadata;
import org.elasticsearch.cluster.project.ProjectResolver;
import org.elasticsearch.cluster.service.ClusterService;
import org.elasticsearch.common.io.stream.Writeable;
import org.elasticsearch.common.util.concurrent.EsExecutors;
import org.elasticsearch.injection.guice.Inject;
import org.elasticsearch.tasks.Task;
import org.elasticsearch.threadpool.ThreadPool;
import org.elasticsearch.transport.TransportService;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyMetadata;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicyUsageCalculator;
import org.elasticsearch.xpack.core.ilm.OperationMode;
import org.elasticsearch.xpack.core.ilm.action.DeleteLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.GetLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.GetLifecycleAction.LifecyclePolicyResponseItem;
import org.elasticsearch.xpack.core.ilm.action.ILMActions;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/** The actions on lifecycle policies, which are part of the cluster's state. Public, because the server makes them. */
public final class Policies {

    private Policies() {}

    static IndexLifecycleMetadata of(ProjectMetadata project) {
        return project.custom(IndexLifecycleMetadata.TYPE, IndexLifecycleMetadata.EMPTY);
    }

    /** An action that leaves another set of policies. */
    abstract static class Change<Request extends AcknowledgedRequest<Request>>
        extends AcknowledgedTransportMasterNodeAction<Request> {
        private final ProjectResolver projects;

        Change(String name, TransportService transport, ClusterService cluster, ThreadPool threads,
            ActionFilters filters, Writeable.Reader<Request> reader, ProjectResolver projects) {
            super(name, transport, cluster, threads, filters, reader, EsExecutors.DIRECT_EXECUTOR_SERVICE);
            this.projects = projects;
        }

        abstract void apply(Request request, ProjectMetadata project, Map<String, LifecyclePolicyMetadata> policies);

        @Override
        protected void masterOperation(
            Task task, Request request, ClusterState state, ActionListener<AcknowledgedResponse> listener) {
            var id = projects.getProjectId();
            submit(actionName, new AckedClusterStateUpdateTask(request, listener) {
                @Override
                public ClusterState execute(ClusterState current) {
                    ProjectMetadata project = current.metadata().getProject(id);
                    Map<String, LifecyclePolicyMetadata> policies = new TreeMap<>(of(project).getPolicyMetadatas());
                    apply(request, project, policies);
                    var made = new IndexLifecycleMetadata(policies, OperationMode.RUNNING);
                    return ClusterState.builder(current)
                        .putProjectMetadata(ProjectMetadata.builder(project).putCustom(IndexLifecycleMetadata.TYPE, made))
                        .build();
                }
            });
        }

        // Batches are for clusters whose state changes all the time.
        @SuppressWarnings("deprecation")
        private void submit(String source, AckedClusterStateUpdateTask task) {
            clusterService.submitUnbatchedStateUpdateTask(source, task);
        }

        @Override
        protected ClusterBlockException checkBlock(Request request, ClusterState state) {
            return state.blocks().globalBlockedException(projects.getProjectId(), ClusterBlockLevel.METADATA_WRITE);
        }
    }

    public static final class Put extends Change<PutLifecycleRequest> {

        @Inject
        public Put(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            ProjectResolver projects) {
            super(ILMActions.PUT.name(), transport, cluster, threads, filters, PutLifecycleRequest::new, projects);
        }

        @Override
        void apply(PutLifecycleRequest request, ProjectMetadata project, Map<String, LifecyclePolicyMetadata> policies) {
            var before = policies.get(request.getPolicy().getName());
            policies.put(request.getPolicy().getName(), new LifecyclePolicyMetadata(request.getPolicy(), Map.of(),
                before == null ? 1 : before.getVersion() + 1, Instant.now().toEpochMilli()));
        }
    }

    public static final class Delete extends Change<DeleteLifecycleAction.Request> {
        @Inject
        public Delete(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            ProjectResolver projects) {
            super(DeleteLifecycleAction.NAME, transport, cluster, threads, filters, DeleteLifecycleAction.Request::new,
                projects);
        }

        @Override
        void apply(DeleteLifecycleAction.Request request, ProjectMetadata project,
            Map<String, LifecyclePolicyMetadata> policies) {
            String name = request.getPolicyName();
            List<String> users = new ArrayList<>();
            for (IndexMetadata index : project) {
                if (name.equals(index.getLifecyclePolicyName())) {
                    users.add(index.getIndex().getName());
                }
            }
            if (!users.isEmpty()) {
                throw new IllegalArgumentException(
                    "Cannot delete policy [" + name + "]. It is in use by one or more indices: " + users);
            }
            if (policies.remove(name) == null) {
                throw new ResourceNotFoundException("Lifecycle policy not found: {}", name);
            }
        }
    }

    public static final class Get
        extends TransportLocalProjectMetadataAction<GetLifecycleAction.Request, GetLifecycleAction.Response> {
        private final IndexNameExpressionResolver names;

        @Inject
        public Get(TransportService transport, ClusterService cluster, ThreadPool threads, ActionFilters filters,
            ProjectResolver projects, IndexNameExpressionResolver names) {
            super(GetLifecycleAction.NAME, filters, transport.getTaskManager(), cluster,
                threads.executor(ThreadPool.Names.MANAGEMENT), projects);
            this.names = names;
        }

        @Override
        protected void localClusterStateOperation(Task task, GetLifecycleAction.Request request, ProjectState state,
            ActionListener<GetLifecycleAction.Response> listener) {
            Map<String, LifecyclePolicyMetadata> policies = new TreeMap<>(of(state.metadata()).getPolicyMetadatas());
            List<String> asked = List.of(request.getPolicyNames());
            for (String name : asked) {
                if (!policies.containsKey(name)) {
                    throw new ResourceNotFoundException("Lifecycle policy not found: {}", name);
                }
            }
            if (policies.isEmpty()) {
                listener.onResponse(new GetLifecycleAction.Response(List.of()));
                return;
            }
            var usage = new LifecyclePolicyUsageCalculator(names, state.metadata(), List.copyOf(policies.keySet()));
            List<LifecyclePolicyResponseItem> found = new ArrayList<>();
            policies.forEach((name, one) -> {
                if (asked.isEmpty() || asked.contains(name)) {
                    found.add(new LifecyclePolicyResponseItem(one.getPolicy(), one.getVersion(),
                        one.getModifiedDateString(), usage.retrieveCalculatedUsage(name)));
                }
            });
            listener.onResponse(new GetLifecycleAction.Response(found));
        }

        @Override
        protected ClusterBlockException checkBlock(GetLifecycleAction.Request request, ProjectState state) {
            return state.blocks().globalBlockedException(state.projectId(), ClusterBlockLevel.METADATA_READ);
        }
    }
}
