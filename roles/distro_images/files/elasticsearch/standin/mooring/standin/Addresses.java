/*
 * Copyright (c) 2026, The mooring.stack authors
 * GNU General Public License v3.0+ (see COPYING or https://www.gnu.org/licenses/gpl-3.0.txt)
 * SPDX-License-Identifier: GPL-3.0-or-later
 */
package mooring.standin;

import java.io.IOException;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.regex.Pattern;

import org.apache.lucene.analysis.FilteringTokenFilter;
import org.apache.lucene.analysis.TokenStream;
import org.apache.lucene.analysis.Tokenizer;
import org.apache.lucene.analysis.email.UAX29URLEmailTokenizer;
import org.apache.lucene.analysis.pattern.PatternCaptureGroupTokenFilter;
import org.apache.lucene.analysis.tokenattributes.CharTermAttribute;
import org.elasticsearch.common.settings.Settings;
import org.elasticsearch.index.analysis.AbstractTokenFilterFactory;
import org.elasticsearch.index.analysis.AbstractTokenizerFactory;
import org.elasticsearch.index.analysis.TokenFilterFactory;
import org.elasticsearch.index.analysis.TokenizerFactory;
import org.elasticsearch.indices.analysis.AnalysisModule.AnalysisProvider;

/** What the server's index of users says of mail addresses: without these three it cannot be made. */
final class Addresses {
    static final Map<String, AnalysisProvider<TokenizerFactory>> TOKENIZERS = Map.of(
        "uax_url_email", (index, environment, name, settings) -> new AbstractTokenizerFactory(name) {
            @Override
            public Tokenizer create() {
                return new UAX29URLEmailTokenizer();
            }
        });
    static final Map<String, AnalysisProvider<TokenFilterFactory>> FILTERS = Map.of(
        "pattern_capture", (index, environment, name, settings) -> capture(name, settings),
        "unique", (index, environment, name, settings) -> filter(name, Once::new));

    private Addresses() {}

    private static TokenFilterFactory capture(String name, Settings settings) {
        List<String> given = settings.getAsList("patterns");
        Pattern[] patterns = given.stream().map(Pattern::compile).toArray(Pattern[]::new);
        boolean preserve = settings.getAsBoolean("preserve_original", true);
        return filter(name, stream -> new PatternCaptureGroupTokenFilter(stream, preserve, patterns));
    }

    private static TokenFilterFactory filter(String name, UnaryOperator<TokenStream> step) {
        return new AbstractTokenFilterFactory(name) {
            @Override
            public TokenStream create(TokenStream stream) {
                return step.apply(stream);
            }
        };
    }

    /** Each word once. */
    private static final class Once extends FilteringTokenFilter {
        private final CharTermAttribute term = addAttribute(CharTermAttribute.class);
        private final Set<String> seen = new HashSet<>();

        Once(TokenStream stream) {
            super(stream);
        }

        @Override
        protected boolean accept() {
            return seen.add(term.toString());
        }

        @Override
        public void reset() throws IOException {
            super.reset();
            seen.clear();
        }
    }
}
