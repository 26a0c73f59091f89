/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import static org.elasticsearch.rest.RestRequest.Method.DELETE;
import static org.elasticsearch.rest.RestRequest.Method.GET;
import static org.elasticsearch.rest.RestRequest.Method.PUT;

import java.io.IOException;
import java.util.List;

import org.elasticsearch.action.datastreams.CreateDataStreamAction;
import org.elasticsearch.action.datastreams.DeleteDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction;
import org.elasticsearch.client.internal.node.NodeClient;
import org.elasticsearch.common.Strings;
import org.elasticsearch.rest.BaseRestHandler;
import org.elasticsearch.rest.RestRequest;
import org.elasticsearch.rest.RestUtils;
import org.elasticsearch.rest.action.RestChunkedToXContentListener;
import org.elasticsearch.rest.action.RestCancellableNodeClient;
import org.elasticsearch.rest.action.RestToXContentListener;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xpack.core.ilm.LifecyclePolicy;
import org.elasticsearch.xpack.core.ilm.action.DeleteLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.GetLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.ILMActions;
import org.elasticsearch.xpack.core.ilm.action.PutLifecycleRequest;

/** From HTTP to actions. */
final class Handlers {

    private Handlers() {}

    /** A handler of these routes; its name is that of its class. */
    abstract static class Handler extends BaseRestHandler {
        private final List<Route> routes;

        Handler(Route... routes) {
            this.routes = List.of(routes);
        }

        @Override
        public String getName() {
            return "standin_" + getClass().getSimpleName();
        }

        @Override
        public List<Route> routes() {
            return routes;
        }
    }

    static final class PutPolicy extends Handler {
        PutPolicy() {
            super(new Route(PUT, "/_ilm/policy/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) throws IOException {
            PutLifecycleRequest put;
            try (XContentParser parser = request.contentParser()) {
                put = PutLifecycleRequest.parseRequest(new PutLifecycleRequest.Factory() {
                    @Override
                    public PutLifecycleRequest create(LifecyclePolicy policy) {
                        return new PutLifecycleRequest(
                            RestUtils.getMasterNodeTimeout(request), RestUtils.getAckTimeout(request), policy);
                    }

                    @Override
                    public String getPolicyName() {
                        return request.param("name");
                    }
                }, parser);
            }
            return channel -> client.execute(ILMActions.PUT, put, new RestToXContentListener<>(channel));
        }
    }

    static final class GetPolicy extends Handler {
        GetPolicy() {
            super(new Route(GET, "/_ilm/policy"), new Route(GET, "/_ilm/policy/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            GetLifecycleAction.Request get = new GetLifecycleAction.Request(
                RestUtils.getMasterNodeTimeout(request), Strings.splitStringByCommaToArray(request.param("name")));
            return channel -> new RestCancellableNodeClient(client, request.getHttpChannel()).execute(
                GetLifecycleAction.INSTANCE, get, new RestChunkedToXContentListener<>(channel));
        }
    }

    static final class DeletePolicy extends Handler {
        DeletePolicy() {
            super(new Route(DELETE, "/_ilm/policy/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            DeleteLifecycleAction.Request delete = new DeleteLifecycleAction.Request(
                RestUtils.getMasterNodeTimeout(request), RestUtils.getAckTimeout(request), request.param("name"));
            return channel -> client.execute(
                DeleteLifecycleAction.INSTANCE, delete, new RestToXContentListener<>(channel));
        }
    }

    static final class CreateStream extends Handler {
        CreateStream() {
            super(new Route(PUT, "/_data_stream/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            CreateDataStreamAction.Request create = new CreateDataStreamAction.Request(
                RestUtils.getMasterNodeTimeout(request), RestUtils.getAckTimeout(request), request.param("name"));
            return channel -> client.execute(
                CreateDataStreamAction.INSTANCE, create, new RestToXContentListener<>(channel));
        }
    }

    static final class GetStream extends Handler {
        GetStream() {
            super(new Route(GET, "/_data_stream"), new Route(GET, "/_data_stream/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            GetDataStreamAction.Request get = new GetDataStreamAction.Request(
                RestUtils.getMasterNodeTimeout(request), Strings.splitStringByCommaToArray(request.param("name")));
            return channel -> new RestCancellableNodeClient(client, request.getHttpChannel()).execute(
                GetDataStreamAction.INSTANCE, get, new RestToXContentListener<>(channel));
        }
    }

    static final class DeleteStream extends Handler {
        DeleteStream() {
            super(new Route(DELETE, "/_data_stream/{name}"));
        }

        @Override
        protected RestChannelConsumer prepareRequest(RestRequest request, NodeClient client) {
            DeleteDataStreamAction.Request delete = new DeleteDataStreamAction.Request(
                RestUtils.getMasterNodeTimeout(request), Strings.splitStringByCommaToArray(request.param("name")));
            return channel -> client.execute(
                DeleteDataStreamAction.INSTANCE, delete, new RestToXContentListener<>(channel));
        }
    }
}
