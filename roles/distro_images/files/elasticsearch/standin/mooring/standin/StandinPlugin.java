/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import java.io.IOException;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.function.Predicate;
import java.util.function.Supplier;

import org.elasticsearch.action.datastreams.CreateDataStreamAction;
import org.elasticsearch.action.datastreams.DeleteDataStreamAction;
import org.elasticsearch.action.datastreams.GetDataStreamAction;
import org.elasticsearch.cluster.metadata.Metadata;
import org.elasticsearch.cluster.node.DiscoveryNodes;
import org.elasticsearch.common.settings.Setting;
import org.elasticsearch.core.CheckedFunction;
import org.elasticsearch.features.NodeFeature;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;
import org.elasticsearch.plugins.ActionPlugin;
import org.elasticsearch.plugins.AnalysisPlugin;
import org.elasticsearch.plugins.Plugin;
import org.elasticsearch.rest.RestHandler;
import org.elasticsearch.xcontent.NamedXContentRegistry;
import org.elasticsearch.xcontent.ParseField;
import org.elasticsearch.xcontent.XContentParser;
import org.elasticsearch.xpack.core.ilm.DeleteAction;
import org.elasticsearch.xpack.core.ilm.ForceMergeAction;
import org.elasticsearch.xpack.core.ilm.IndexLifecycleMetadata;
import org.elasticsearch.xpack.core.ilm.LifecycleAction;
import org.elasticsearch.xpack.core.ilm.LifecycleSettings;
import org.elasticsearch.xpack.core.ilm.LifecycleType;
import org.elasticsearch.xpack.core.ilm.ReadOnlyAction;
import org.elasticsearch.xpack.core.ilm.RolloverAction;
import org.elasticsearch.xpack.core.ilm.SetPriorityAction;
import org.elasticsearch.xpack.core.ilm.TimeseriesLifecycleType;
import org.elasticsearch.xpack.core.ilm.action.DeleteLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.GetLifecycleAction;
import org.elasticsearch.xpack.core.ilm.action.ILMActions;

/**
 * What of Elasticsearch is in no package repository and its users cannot do without: requests about lifecycle policies
 * and data streams (modules x-pack-ilm and data-streams), something that carries the policies out, and what the index
 * of users needs of analysis-common.
 *
 * <p>Not of Elastic are only the way from a request to the server's own classes, and the loop of {@link Carrier}.
 * Policies are parsed, validated, stored and written out by x-pack-core; data streams are made, rolled over and deleted
 * by the server; rights are judged by x-pack-security, because the actions have their official names.
 *
 * <p>Policies may hold the actions rollover, delete, set_priority, readonly and forcemerge; only the first two are
 * carried out. Everything else of these modules (explain, retry, the lifecycle of a data stream) is missing.
 */
public class StandinPlugin extends Plugin implements ActionPlugin, AnalysisPlugin {

    private Carrier carrier;

    @Override
    public Collection<?> createComponents(PluginServices services) {
        carrier = new Carrier(services);
        return List.of();
    }

    @Override
    public void close() {
        if (carrier != null) {
            carrier.close();
        }
    }

    @Override
    public List<Setting<?>> getSettings() {
        return List.of(LifecycleSettings.LIFECYCLE_POLL_INTERVAL_SETTING, LifecycleSettings.LIFECYCLE_NAME_SETTING,
            LifecycleSettings.LIFECYCLE_INDEXING_COMPLETE_SETTING,
            LifecycleSettings.LIFECYCLE_ROLLOVER_ONLY_IF_HAS_DOCUMENTS_SETTING,
            RolloverAction.LIFECYCLE_ROLLOVER_ALIAS_SETTING);
    }

    @Override
    public List<NamedXContentRegistry.Entry> getNamedXContent() {
        return List.of(
            new NamedXContentRegistry.Entry(Metadata.ProjectCustom.class, new ParseField(IndexLifecycleMetadata.TYPE),
                parser -> IndexLifecycleMetadata.PARSER.parse(parser, null)),
            new NamedXContentRegistry.Entry(LifecycleType.class, new ParseField(TimeseriesLifecycleType.TYPE),
                (parser, context) -> TimeseriesLifecycleType.INSTANCE),
            action(RolloverAction.NAME, RolloverAction::parse),
            action(DeleteAction.NAME, DeleteAction::parse),
            action(SetPriorityAction.NAME, SetPriorityAction::parse),
            action(ReadOnlyAction.NAME, ReadOnlyAction::parse),
            action(ForceMergeAction.NAME, ForceMergeAction::parse));
    }

    @Override
    public Map<String, AnalysisProvider<TokenizerFactory>> getTokenizers() {
        return Addresses.TOKENIZERS;
    }

    @Override
    public Map<String, AnalysisProvider<TokenFilterFactory>> getTokenFilters() {
        return Addresses.FILTERS;
    }

    private static NamedXContentRegistry.Entry action(
        String name, CheckedFunction<XContentParser, LifecycleAction, IOException> parse) {
        return new NamedXContentRegistry.Entry(LifecycleAction.class, new ParseField(name), parse);
    }

    @Override
    public Collection<ActionHandler> getActions() {
        return List.of(
            new ActionHandler(ILMActions.PUT, Policies.Put.class),
            new ActionHandler(GetLifecycleAction.INSTANCE, Policies.Get.class),
            new ActionHandler(DeleteLifecycleAction.INSTANCE, Policies.Delete.class),
            new ActionHandler(CreateDataStreamAction.INSTANCE, Streams.Create.class),
            new ActionHandler(GetDataStreamAction.INSTANCE, Streams.Get.class),
            new ActionHandler(DeleteDataStreamAction.INSTANCE, Streams.Delete.class));
    }

    @Override
    public Collection<RestHandler> getRestHandlers(
        RestHandlersServices services, Supplier<DiscoveryNodes> nodes, Predicate<NodeFeature> supports) {
        return List.of(new Handlers.PutPolicy(), new Handlers.GetPolicy(), new Handlers.DeletePolicy(),
            new Handlers.CreateStream(), new Handlers.GetStream(), new Handlers.DeleteStream());
    }
}
